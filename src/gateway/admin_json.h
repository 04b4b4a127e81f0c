#pragma once
// What the ledger knows as JSON, for the admin API. Money is in USD, times in milliseconds unless
// the name says otherwise; what is not known is null.

#include "json/write.h"
#include "state/ledger_reader.h"

namespace rung::gateway {

void write(const state::Totals& totals, json::Writer& w);
void write(const state::Summary& summary,
           json::Writer& w);  // members only: inside an object of the caller
/// One line of the list of decisions.
void write_short(const state::StoredDecision& stored, json::Writer& w);
/// All that is known of one decision.
void write_whole(const state::StoredDecision& stored, json::Writer& w);

}  // namespace rung::gateway
