#pragma once
// POST /v1/messages/count_tokens: Anthropic's own count where the model is Anthropic's, else ours.

#include "gateway/worker.h"
#include "net/task.h"

namespace rung::gateway {

/// Passes the request to the named model's upstream, or to the first arm of the named route that
/// speaks Anthropic Messages. Where none does, the reply is our estimate (four bytes a token) and
/// says so: `x-rung-estimated: input_tokens`. Nothing is decided or generated, so the ledger keeps
/// no record.
Task<void> answer_count_tokens(Worker& worker, Exchange& exchange);

}  // namespace rung::gateway
