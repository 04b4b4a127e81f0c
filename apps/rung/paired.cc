#include "paired.h"

#include <fmt/format.h>

#include <numeric>

#include "json/write.h"
#include "outcomes/metrics.h"

#ifndef RUNG_NO_PREDICT
#include "judging.h"
#include "own_knob.h"

namespace rung::cli {
namespace {

/// One router on the rows.
struct Side {
  outcomes::HullGain gain;
  std::vector<std::size_t> picks;  // at its operating point
};

Result<Side> judge_side(const predict::Router& router, const outcomes::Table& table,
                        const outcomes::HullGainOptions& how) {
  auto estimates = estimate_all(router, table);
  if (!estimates) return estimates.error();
  const Predicted p = predicted(router, table, *estimates);
  const outcomes::Estimated data{table.rows(), table.arm_count(), table.score,
                                 table.cost,   p.quality,         p.cost};
  const auto curve = own_knob(router, table, *estimates, p.in_router, data);
  auto gain = curve ? outcomes::hull_gain(data, *curve, how) : outcomes::hull_gain(data, how);
  if (!gain) return gain.error();
  auto picks =
      outcomes::picks_at(data, curve ? &*curve : nullptr, *gain, outcomes::operating_point(*gain));
  return Side{*std::move(gain), std::move(picks)};
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string difference(const outcomes::Difference& d, double scale, int decimals) {
  return fmt::format("{:+.{}f} [{:+.{}f}, {:+.{}f}]", scale * d.value, decimals, scale * d.low,
                     decimals, scale * d.high, decimals);
}

}  // namespace

Result<PairedReport> compare_paired(const predict::Router& a, const predict::Router& b,
                                    const outcomes::Table& table,
                                    const std::vector<std::size_t>& in_table, std::size_t bootstrap,
                                    std::uint64_t seed) {
  std::vector<std::size_t> every(table.rows());
  std::iota(every.begin(), every.end(), std::size_t{0});
  const outcomes::Table judged = select_arms(table, every, in_table);
  const outcomes::HullGainOptions how{.bootstrap = bootstrap, .seed = seed};
  auto ours = judge_side(a, judged, how);
  if (!ours) return ours.error();
  auto theirs = judge_side(b, judged, how);
  if (!theirs) return theirs.error();
  PairedReport out;
  out.gain_a = ours->gain.gain;
  out.gain_b = theirs->gain.gain;
  if (bootstrap >= 2) {
    auto gain = outcomes::paired_difference(ours->gain, theirs->gain);
    if (!gain) return gain.error();
    out.gain = *gain;
  }
  std::vector<double> score_a, score_b, cost_a, cost_b;
  for (std::size_t row = 0; row < judged.rows(); ++row) {
    const std::size_t i = ours->picks[row], j = theirs->picks[row];
    if (i == judged.arm_count() || j == judged.arm_count()) continue;  // nothing to pick there
    score_a.push_back(static_cast<double>(judged.score[judged.cell(row, i)]));
    score_b.push_back(static_cast<double>(judged.score[judged.cell(row, j)]));
    cost_a.push_back(static_cast<double>(judged.cost[judged.cell(row, i)]));
    cost_b.push_back(static_cast<double>(judged.cost[judged.cell(row, j)]));
  }
  const outcomes::BootstrapOptions draws{.resamples = std::max<std::size_t>(2, bootstrap),
                                         .seed = seed};
  const auto test = [&](const std::vector<double>& x, const std::vector<double>& y,
                        outcomes::Difference& difference, double& p) -> Result<void> {
    auto d = outcomes::bootstrap_mean(x, y, draws);
    if (!d) return d.error();
    auto value = outcomes::permutation_test(x, y, 9999, seed);
    if (!value) return value.error();
    difference = *d;
    p = *value;
    return {};
  };
  if (auto done = test(score_a, score_b, out.score, out.score_p); !done) return done.error();
  if (auto done = test(cost_a, cost_b, out.cost, out.cost_p); !done) return done.error();
  auto sign = outcomes::sign_test(score_a, score_b);
  if (!sign) return sign.error();
  out.sign = *sign;
  out.rows = score_a.size();
  out.score_a = mean(score_a), out.score_b = mean(score_b);
  out.cost_a = mean(cost_a), out.cost_b = mean(cost_b);
  return out;
}

std::string paired_text(const PairedReport& r) {
  std::string out =
      fmt::format("\nagainst {}, on the same {} rows (95 % intervals, paired)\n", r.other, r.rows);
  out += fmt::format("  {:<12} {:>9.2f} {:>9.2f}", "hull gain", 100 * r.gain_a, 100 * r.gain_b);
  if (r.gain)
    out += fmt::format("   {}{}", difference(*r.gain, 100, 2),
                       !r.gain->significant() ? " within noise"
                       : r.gain->value > 0    ? " better"
                                              : " worse");
  out += fmt::format("\n  {:<12} {:>9.2f} {:>9.2f}   {}, permutation p = {:.4f}\n", "score",
                     100 * r.score_a, 100 * r.score_b, difference(r.score, 100, 2), r.score_p);
  out +=
      fmt::format("  {:<12} {:>9} {:>9}   better on {} rows, worse on {}, sign test p = {:.4f}\n",
                  "", "", "", r.sign.a_better, r.sign.b_better, r.sign.p);
  out += fmt::format("  {:<12} {:>9.4f} {:>9.4f}   {}, permutation p = {:.4f}\n", "USD / 1000",
                     1000 * r.cost_a, 1000 * r.cost_b, difference(r.cost, 1000, 4), r.cost_p);
  out +=
      "  Score and cost: each router where it first matches the best single arm, else where it "
      "gains most.\n";
  return out;
}

std::string paired_json(const PairedReport& r) {
  json::Writer w;
  const auto put = [&](std::string_view key, double a, double b, const outcomes::Difference& d,
                       std::optional<double> p) {
    w.key(key).begin_object().key("this").number(a).key("other").number(b);
    w.key("difference").number(d.value).key("se").number(d.se).key("low").number(d.low);
    w.key("high").number(d.high).key("significant").boolean(d.significant());
    if (p) w.key("permutation_p").number(*p);
    w.end_object();
  };
  w.begin_object().key("other").string(r.other).key("rows").number(r.rows);
  if (r.gain) put("hull_gain", r.gain_a, r.gain_b, *r.gain, std::nullopt);
  put("score", r.score_a, r.score_b, r.score, r.score_p);
  put("cost", r.cost_a, r.cost_b, r.cost, r.cost_p);
  w.key("sign_test").begin_object().key("better").number(r.sign.a_better).key("worse");
  w.number(r.sign.b_better).key("ties").number(r.sign.ties).key("p").number(r.sign.p);
  return w.end_object().end_object().take();
}

}  // namespace rung::cli
#endif
