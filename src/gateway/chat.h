#pragma once
// The life of a chat request. docs/life-of-a-request.md tells the same story in words.

#include "gateway/worker.h"
#include "net/task.h"
#include "wire/dialect.h"

namespace rung::gateway {

/// Answers a request for a model's answer, in any dialect, on this worker's loop: parse, decide,
/// ask, pass the answer on, remember. Whatever happens, the client gets one answer (unless it left)
/// and the ledger one record.
Task<void> answer_chat(Worker& worker, Exchange& exchange, wire::Dialect dialect);

}  // namespace rung::gateway
