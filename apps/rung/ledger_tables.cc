#include "ledger_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger_time.h"

namespace rung::cli {
namespace {

using state::NanoUsd;
using Row = std::vector<std::string>;

/// Columns as wide as what they hold; the first `left` of them flush left, the others right.
std::string table(const Row& heads, const std::vector<Row>& rows, std::size_t left) {
  std::vector<std::size_t> width;
  for (const std::string& head : heads) width.push_back(head.size());
  for (const Row& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string out;
  const auto line = [&](const Row& row) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) out += "  ";
      out += c < left ? fmt::format("{:<{}}", row[c], width[c])
                      : fmt::format("{:>{}}", row[c], width[c]);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  line(heads);
  for (const Row& row : rows) line(row);
  return out;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }
std::string usd(NanoUsd amount) { return fmt::format("{:.6f}", amount.usd().value); }
std::string usd(const std::optional<NanoUsd>& amount) { return amount ? usd(*amount) : "-"; }
std::string ms(std::int64_t us) { return fmt::format("{:.1f}", static_cast<double>(us) * 1e-3); }
std::string count(const std::optional<std::int64_t>& value) {
  return value ? fmt::format("{}", *value) : "-";
}

/// What is known of the cost; "?" where a part of it is not, "-" where nothing was asked.
std::string spent(const state::StoredDecision& stored) {
  if (stored.spent.count == 0 && stored.cost_unknown == 0 && stored.record.arm.empty()) return "-";
  return usd(stored.spent) + (stored.cost_unknown > 0 ? "?" : "");
}

}  // namespace

std::string decisions_text(const std::vector<state::StoredDecision>& decisions) {
  std::vector<Row> rows;
  for (const state::StoredDecision& stored : decisions) {
    const state::RequestRecord& r = stored.record;
    rows.push_back({show_time(r.time_us), r.id.str(), or_dash(r.key_name), or_dash(r.route),
                    or_dash(r.arm), std::string(name(r.outcome)), fmt::format("{}", r.http_status),
                    ms(r.total_us), spent(stored)});
  }
  return table({"time (UTC)", "decision", "key", "route", "arm", "outcome", "status", "ms", "USD"},
               rows, 6);
}

std::string totals_text(std::string_view by, const std::vector<state::Totals>& totals) {
  std::vector<Row> rows;
  state::Totals sum;
  const auto row = [&](const std::string& name, const state::Totals& t) {
    const bool compared = t.compared > 0;
    const NanoUsd saved = t.compared_reference - t.compared_spent;
    rows.push_back(
        {name, fmt::format("{}", t.requests), fmt::format("{}", t.failed()), count(t.prompt_tokens),
         count(t.completion_tokens), usd(t.spent) + (t.cost_unknown > 0 ? "?" : ""),
         compared ? usd(t.compared_reference) : "-", compared ? usd(saved) : "-",
         compared && t.compared_reference.count > 0
             ? fmt::format("{:.1f} %", 100 * static_cast<double>(saved.count) /
                                           static_cast<double>(t.compared_reference.count))
             : "-",
         t.scored > 0 ? fmt::format("{:.3f} ({})", t.score, t.scored) : "-"});
  };
  for (const state::Totals& t : totals) {
    row(or_dash(t.name), t);
    sum.requests += t.requests;
    for (std::size_t i = 0; i < std::size(t.outcomes); ++i) sum.outcomes[i] += t.outcomes[i];
    const auto add = [](std::optional<std::int64_t>& to, const std::optional<std::int64_t>& more) {
      if (more) to = to.value_or(0) + *more;
    };
    add(sum.prompt_tokens, t.prompt_tokens);
    add(sum.completion_tokens, t.completion_tokens);
    sum.spent += t.spent;
    sum.cost_unknown += t.cost_unknown;
    sum.compared += t.compared;
    sum.compared_spent += t.compared_spent;
    sum.compared_reference += t.compared_reference;
    sum.score += t.score * static_cast<double>(t.scored);
    sum.scored += t.scored;
  }
  if (sum.scored > 0) sum.score /= static_cast<double>(sum.scored);
  if (totals.size() != 1) row("all", sum);
  std::string out = table({std::string(by), "requests", "failed", "prompt", "completion", "USD",
                           "reference USD", "saved USD", "saved", "score (of)"},
                          rows, 1);
  if (sum.cost_unknown > 0)
    out += fmt::format("?: without {} {} whose cost is not known\n", sum.cost_unknown,
                       sum.cost_unknown == 1 ? "call" : "calls");
  if (sum.compared < sum.requests)
    out += fmt::format(
        "saved: over {} of {} requests, those whose own and reference cost are both known\n",
        sum.compared, sum.requests);
  return out;
}

std::string decision_text(const state::StoredDecision& stored) {
  const state::RequestRecord& r = stored.record;
  std::string out;
  const auto fact = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:<10} {}\n", name, value);
  };
  fact("decision", r.id.str());
  fact("time", show_time(r.time_us) + " UTC");
  fact("key", r.key_name);
  fact("asked", r.requested_model);
  fact("route", r.route);
  fact("arm", r.arm);
  fact("model", r.served_model);
  fact("reason", r.reason);
  fact("runner-up", r.runner_up);
  if (r.propensity) fact("propensity", fmt::format("{:g}", *r.propensity));
  fact("outcome", fmt::format("{}, status {}", name(r.outcome), r.http_status));
  fact("error", r.error);
  fact("cost", spent(stored) + " USD");
  if (r.reference_cost)
    fact("reference", fmt::format("{} USD with {}", usd(r.reference_cost), r.reference_arm));
  fact("time taken", ms(r.total_us) + " ms");
  fact("prompt", r.prompt);
  std::vector<Row> arms, calls;
  for (const state::ArmEstimate& arm : r.arms)
    arms.push_back(
        {arm.arm, arm.quality ? fmt::format("{:.3f}", static_cast<double>(*arm.quality)) : "-",
         arm.quality_se ? fmt::format("{:.3f}", static_cast<double>(*arm.quality_se)) : "-",
         usd(arm.cost), arm.why_not});
  if (!arms.empty()) out += "\n" + table({"arm", "quality", "±", "USD", "why not"}, arms, 1);
  for (const state::CallRecord& call : r.calls)
    calls.push_back({call.upstream, call.model, std::string(name(call.outcome)),
                     call.status ? fmt::format("{}", *call.status) : "-", ms(call.start_us),
                     ms(call.end_us), count(call.prompt_tokens), count(call.cached_tokens),
                     count(call.completion_tokens), usd(call.cost)});
  if (!calls.empty())
    out += "\n" + table({"upstream", "model", "outcome", "status", "from ms", "to ms", "prompt",
                         "cached", "completion", "USD"},
                        calls, 3);
  for (const state::FeedbackRecord& feedback : stored.feedback)
    out += fmt::format("\nscore {:g}{}{}\n", feedback.score,
                       feedback.source.empty() ? "" : " by " + feedback.source,
                       feedback.comment.empty() ? "" : ": " + feedback.comment);
  return out;
}

}  // namespace rung::cli
