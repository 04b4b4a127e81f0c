#pragma once
// From what happened to what the ledger keeps.

#include <optional>
#include <string_view>

#include "gateway/decider.h"
#include "state/record.h"
#include "wire/openai_chat.h"

namespace rung::gateway {

/// The decision's part of the record: target, arms, reason, reference.
void record_choice(const Choice& choice, state::RequestRecord& record);

/// The call's tokens and cost. Without usage from the provider, `produced_chunks` (content chunks
/// of a stream that was cut) gives an estimate that is marked as one; without either the cost stays
/// unknown.
void record_usage(const Choice& choice, const std::optional<wire::Usage>& usage,
                  std::int64_t produced_chunks, state::CallRecord& call);

/// What the reference arm would have cost for the tokens that were really used.
void record_reference(const Choice& choice, const state::CallRecord& call,
                      state::RequestRecord& record);

}  // namespace rung::gateway
