#include "outcomes/worth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "outcomes/quantile.h"

namespace rung::outcomes {
namespace {

constexpr double kMostSlope = 2;             // harder is worse for every arm: none below 0
constexpr std::size_t kManySamples = 5;      // per question: enough to speak of sampling
constexpr std::size_t kPartResamples = 200;  // of each of up to 16 sets of pieces

Interval interval_of(double value, std::vector<double> resampled) {
  if (resampled.empty()) return {value, value, value};
  std::sort(resampled.begin(), resampled.end());
  return {value, quantile_of_sorted(resampled, 0.025), quantile_of_sorted(resampled, 0.975)};
}

std::string text(const Interval& i, double unit, std::string_view form) {
  const auto f = fmt::runtime(form);
  return fmt::format("{} (95 % interval {} to {})", fmt::format(f, unit * i.value),
                     fmt::format(f, unit * i.low), fmt::format(f, unit * i.high));
}

// The estimates in pieces; [rows * arms] each but the means.
struct Pieces {
  std::vector<double> mean_quality, mean_cost;  // [arms]
  std::vector<float> difficulty, task, rest;
  bool labelled = false;
};

struct Mean {
  double sum = 0, count = 0;
  void add(double value) { sum += value, count += 1; }
  double value() const { return count > 0 ? sum / count : 0; }
};

Pieces take_apart(const Table& table, const Estimated& data) {
  const std::size_t n = data.rows, m = data.arms;
  Pieces out;
  std::vector<Mean> quality(m), cost(m);
  const auto each = [&](auto&& visit) {
    for (std::size_t row = 0; row < n; ++row) {
      for (std::size_t arm = 0; arm < m; ++arm) {
        if (data.usable(row, arm)) visit(row, arm, data.cell(row, arm));
      }
    }
  };
  each([&](std::size_t, std::size_t arm, std::size_t at) {
    quality[arm].add(data.est_quality[at]);
    cost[arm].add(data.est_cost[at]);
  });
  for (std::size_t arm = 0; arm < m; ++arm) {
    out.mean_quality.push_back(quality[arm].value());
    out.mean_cost.push_back(cost[arm].value());
  }
  // 1. One number per query, and how much each arm follows it.
  std::vector<float> left(n * m, 0);
  std::vector<Mean> shared(n);
  each([&](std::size_t row, std::size_t arm, std::size_t at) {
    left[at] = static_cast<float>(data.est_quality[at] - out.mean_quality[arm]);
    shared[row].add(left[at]);
  });
  std::vector<double> product(m, 0), square(m, 0);
  each([&](std::size_t row, std::size_t arm, std::size_t at) {
    product[arm] += static_cast<double>(left[at]) * shared[row].value();
    square[arm] += shared[row].value() * shared[row].value();
  });
  out.difficulty.assign(n * m, 0);
  each([&](std::size_t row, std::size_t arm, std::size_t at) {
    const double slope =
        square[arm] > 0 ? std::clamp(product[arm] / square[arm], 0.0, kMostSlope) : 0;
    out.difficulty[at] = static_cast<float>(slope * shared[row].value());
    left[at] -= out.difficulty[at];
  });
  // 2. What is left, by category.
  out.task.assign(n * m, 0);
  out.labelled =
      table.categories.size() > 1 && std::none_of(table.category.begin(), table.category.end(),
                                                  [](std::int32_t c) { return c == kNoCategory; });
  if (out.labelled) {
    std::vector<Mean> by_category(table.categories.size() * m);
    const auto of = [&](std::size_t row, std::size_t arm) {
      return static_cast<std::size_t>(table.category[row]) * m + arm;
    };
    each([&](std::size_t row, std::size_t arm, std::size_t at) {
      by_category[of(row, arm)].add(left[at]);
    });
    each([&](std::size_t row, std::size_t arm, std::size_t at) {
      out.task[at] = static_cast<float>(by_category[of(row, arm)].value());
      left[at] -= out.task[at];
    });
  }
  out.rest = std::move(left);
  return out;
}

enum Piece : unsigned { kPrice = 1, kDifficulty = 2, kRest = 4, kTask = 8 };

Result<HullGain> gain_with(const Estimated& data, const Pieces& pieces, unsigned with,
                           const HullGainOptions& options) {
  std::vector<float> quality(data.rows * data.arms), cost(quality.size());
  for (std::size_t row = 0; row < data.rows; ++row) {
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      const std::size_t at = data.cell(row, arm);
      if (!data.usable(row, arm)) continue;
      double q = pieces.mean_quality[arm];
      if (with & kDifficulty) q += static_cast<double>(pieces.difficulty[at]);
      if (with & kTask) q += static_cast<double>(pieces.task[at]);
      if (with & kRest) q += static_cast<double>(pieces.rest[at]);
      quality[at] = static_cast<float>(q);
      cost[at] = with & kPrice ? data.est_cost[at] : static_cast<float>(pieces.mean_cost[arm]);
    }
  }
  return hull_gain({data.rows, data.arms, data.score, data.cost, quality, cost}, options);
}

double factorial(unsigned n) { return n < 2 ? 1 : n * factorial(n - 1); }

Result<std::vector<GainSource>> sources_of(const Table& table, const Estimated& data,
                                           const HullGainOptions& options) {
  const Pieces pieces = take_apart(table, data);
  const unsigned players = pieces.labelled ? 4 : 3, all = (1u << players) - 1;
  std::vector<HullGain> gains(all + 1);
  for (unsigned with = 0; with <= all; ++with) {
    // With all pieces: the estimates themselves, so that no rounding comes between.
    auto gain = with == all ? hull_gain(data, options) : gain_with(data, pieces, with, options);
    if (!gain) return gain.error();
    gains[with] = std::move(*gain);
  }
  const std::size_t resamples = gains[0].resampled.size();
  std::vector<GainSource> out;
  for (const auto& [name, piece] : {std::pair{"price", unsigned{kPrice}},
                                    {"difficulty", unsigned{kDifficulty}},
                                    {"task", unsigned{kTask}},
                                    {"rest", unsigned{kRest}}}) {
    if ((piece & all) == 0) continue;
    double value = 0;
    std::vector<double> resampled(resamples, 0);
    for (unsigned without = 0; without <= all; ++without) {
      if (without & piece) continue;
      const auto size = static_cast<unsigned>(__builtin_popcount(without));
      const double weight = factorial(size) * factorial(players - size - 1) / factorial(players);
      value += weight * (gains[without | piece].gain - gains[without].gain);
      for (std::size_t i = 0; i < resamples; ++i) {
        resampled[i] +=
            weight * (gains[without | piece].resampled[i] - gains[without].resampled[i]);
      }
    }
    if (piece == kRest) {
      value += gains[0].gain;
      for (std::size_t i = 0; i < resamples; ++i) resampled[i] += gains[0].resampled[i];
    }
    out.push_back({name, interval_of(gains[piece].gain, gains[piece].resampled),
                   interval_of(value, std::move(resampled))});
  }
  return out;
}

// Arms of one model move together: what is lost is the choice between them.
Result<std::optional<Interval>> effort_of(const Table& table, const Estimated& data,
                                          const HullGainOptions& options) {
  const std::size_t m = data.arms;
  std::vector<std::size_t> model(m);
  std::size_t models = 0;
  for (std::size_t arm = 0; arm < m; ++arm) {
    model[arm] = models;
    for (std::size_t other = 0; other < arm; ++other) {
      if (model_of(table.arms[other]) == model_of(table.arms[arm])) model[arm] = model[other];
    }
    models += model[arm] == models ? 1 : 0;
  }
  if (models == m) return std::optional<Interval>();
  auto whole = hull_gain(data, options);
  if (!whole) return whole.error();
  if (models == 1) {
    return std::optional(interval_of(whole->gain, whole->resampled));
  }
  const Pieces pieces = take_apart(table, data);
  std::vector<float> quality(data.rows * m), cost(data.rows * m);
  std::vector<Mean> deviation(models), ratio(models);
  for (std::size_t row = 0; row < data.rows; ++row) {
    std::fill(deviation.begin(), deviation.end(), Mean{});
    std::fill(ratio.begin(), ratio.end(), Mean{});
    for (std::size_t arm = 0; arm < m; ++arm) {
      if (!data.usable(row, arm)) continue;
      const std::size_t at = data.cell(row, arm);
      deviation[model[arm]].add(data.est_quality[at] - pieces.mean_quality[arm]);
      if (pieces.mean_cost[arm] > 0)
        ratio[model[arm]].add(data.est_cost[at] / pieces.mean_cost[arm]);
    }
    for (std::size_t arm = 0; arm < m; ++arm) {
      if (!data.usable(row, arm)) continue;
      const std::size_t at = data.cell(row, arm);
      quality[at] = static_cast<float>(pieces.mean_quality[arm] + deviation[model[arm]].value());
      cost[at] = static_cast<float>(pieces.mean_cost[arm] * ratio[model[arm]].value());
    }
  }
  auto between = hull_gain({data.rows, m, data.score, data.cost, quality, cost}, options);
  if (!between) return between.error();
  std::vector<double> resampled = whole->resampled;
  for (std::size_t i = 0; i < resampled.size(); ++i) resampled[i] -= between->resampled[i];
  return std::optional(interval_of(whole->gain - between->gain, std::move(resampled)));
}

std::optional<OutOfReach> one_answer_of(const Table& table, const Estimated& data,
                                        std::size_t cheap) {
  OutOfReach out{table.arms[cheap], 0, {}};
  double hits = 0;
  for (std::size_t row = 0; row < data.rows; ++row) {
    const float own = data.score[data.cell(row, cheap)];
    if (!std::isfinite(own)) continue;
    float other = -1;
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      const float score = data.score[data.cell(row, arm)];
      if (arm != cheap && std::isfinite(score)) other = std::max(other, score);
    }
    if (other < 0) continue;
    ++out.rows;
    hits += own <= 0 && other > 0 ? 1 : 0;
  }
  if (out.rows == 0) return std::nullopt;
  out.share = wilson(hits, static_cast<double>(out.rows));
  return out;
}

std::string verdict_of(const Worth& w) {
  const std::string over = fmt::format(
      "over the best fixed mixture of single models it adds {} points at equal cost, "
      "on average over budgets",
      text(w.hull_gain, 100, "{:.2f}"));
  if (w.worth_it) {
    std::string out = fmt::format("Keep the router on: {}. ", over);
    if (w.saving.low > 0) {
      out += fmt::format("Against {} alone it saves {} % of the cost at the same score", w.best,
                         text(w.saving, 100, "{:.0f}"));
    } else {
      out += fmt::format("At the score of {} alone it saves nothing that is sure", w.best);
    }
    return out + fmt::format(", and at the same cost it scores {} points more.",
                             text(w.lift, 100, "{:.2f}"));
  }
  std::string mixture;
  for (const WeightedArm& arm : w.mixture) {
    mixture +=
        fmt::format("{}{:.0f} % {}", mixture.empty() ? "" : " with ", 100 * arm.weight, arm.name);
  }
  std::string out = fmt::format(
      "Switch the router off: {}{}. Use {} alone (score {:.2f}, USD {:.4f} per 1,000)", over,
      w.hull_gain.high < -kGainNoise ? ", so it does harm" : ", which may be chance", w.best,
      100 * w.best_mean.score, 1000 * w.best_mean.cost);
  if (w.mixture.size() > 1 || (w.mixture.size() == 1 && w.mixture[0].name != w.best)) {
    out += fmt::format("; at what the router spends, {} (score {:.2f}, USD {:.4f} per 1,000)",
                       mixture, 100 * w.mixture_mean.score, 1000 * w.mixture_mean.cost);
  }
  return out + ".";
}

}  // namespace

Interval wilson(double hits, double n) {
  constexpr double z = 1.959963984540054;  // 97.5 % of the normal distribution
  const double p = hits / n, scale = 1 / (1 + z * z / n);
  const double middle = scale * (p + z * z / (2 * n));
  const double half = scale * z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {p, std::min(p, std::max(0.0, middle - half)), std::max(p, std::min(1.0, middle + half))};
}

std::optional<SampledOutOfReach> out_of_reach(const Samples& samples, std::string_view cheap_arm) {
  // 1. Strategies of one model are one model, unless there is but one.
  std::vector<std::string> names;
  const auto group = [&](bool whole_names) {
    std::vector<std::size_t> of;
    names.clear();
    for (const std::string& name : samples.models) {
      const std::string key(whole_names ? std::string_view(name) : model_of(name));
      const auto at = std::find(names.begin(), names.end(), key);
      of.push_back(static_cast<std::size_t>(at - names.begin()));
      if (at == names.end()) names.push_back(key);
    }
    return of;
  };
  std::vector<std::size_t> of = group(false);
  if (names.size() < 2) of = group(true);
  if (names.size() < 2) return std::nullopt;
  struct Tally {
    std::size_t known = 0, right = 0;
  };
  std::vector<Tally> total(names.size());
  std::vector<std::vector<Tally>> items;
  for (const SampledItem& item : samples.items) {
    std::vector<Tally> tally(names.size());
    for (std::size_t model = 0; model < of.size(); ++model) {
      for (const Sample& sample : item.of_model[model]) {
        if (sample.correct == Correct::kUnknown) continue;
        for (Tally* t : {&tally[of[model]], &total[of[model]]}) {
          ++t->known;
          t->right += sample.correct == Correct::kRight ? 1 : 0;
        }
      }
    }
    items.push_back(std::move(tally));
  }
  // 2. The cheapest arm's model, or the weakest there is.
  std::size_t cheap = names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (total[i].known > 0 && (names[i] == cheap_arm || names[i] == model_of(cheap_arm))) cheap = i;
  }
  SampledOutOfReach out;
  out.is_cheapest_arm = cheap < names.size();
  const auto rate = [&](std::size_t i) {
    return static_cast<double>(total[i].right) / static_cast<double>(total[i].known);
  };
  for (const std::size_t least : {kManySamples * samples.items.size(), std::size_t{1}}) {
    for (std::size_t i = 0; i < names.size() && !out.is_cheapest_arm; ++i) {
      if (total[i].known < least) continue;
      if (cheap == names.size() || rate(i) < rate(cheap)) cheap = i;
    }
    if (cheap < names.size()) break;
  }
  if (cheap == names.size()) return std::nullopt;
  out.model = names[cheap];
  // 3. Count.
  double hits = 0;
  for (const auto& tally : items) {
    bool other_known = false, other_right = false;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i == cheap) continue;
      other_known = other_known || tally[i].known > 0;
      other_right = other_right || tally[i].right > 0;
    }
    const Tally& own = tally[cheap];
    if (own.known == 0 || !other_known) continue;
    ++out.items;
    out.samples += static_cast<double>(own.known);
    if (!other_right) continue;
    hits += own.right == 0 ? 1 : 0;
    out.with_one += none_right(own.known, own.right, 1);
    out.with_five += none_right(own.known, own.right, std::min<std::size_t>(5, own.known));
  }
  if (out.items == 0) return std::nullopt;
  const auto count = static_cast<double>(out.items);
  out.samples /= count;
  out.with_one /= count;
  out.with_five /= count;
  out.share = wilson(hits, count);
  return out;
}

Result<Worth> worth(const Table& table, const Estimated& data, const HullGain& gain,
                    const SweepPoint& operating, const Samples* samples,
                    const HullGainOptions& options) {
  Worth out;
  out.worth_it = gain.low > kGainNoise;
  out.hull_gain = {gain.gain, gain.low, gain.high};
  const Hull& fixed = gain.static_hull;
  const Point best = fixed.best();
  out.best = table.arms[fixed.sources().back()];
  out.best_mean = best;
  const auto matched = gain.router.cost_of(best.score);
  out.reaches_best = matched.has_value();
  const double saving = matched && best.cost > 0 ? std::max(0.0, 1 - *matched / best.cost) : 0.0;
  out.saving = interval_of(saving, gain.resampled_saving);
  out.lift = interval_of(gain.router_score.back() - best.score, gain.resampled_lift);
  if (const auto cost = fixed.cost_of(operating.mean.score); cost && *cost > 0)
    out.mixture_saving = 1 - operating.mean.cost / *cost;

  HullGainOptions parts = options;
  parts.bootstrap = std::min(options.bootstrap, kPartResamples);
  auto sources = sources_of(table, data, parts);
  if (!sources) return sources.error();
  out.sources = std::move(*sources);
  auto effort = effort_of(table, data, parts);
  if (!effort) return effort.error();
  out.effort = *effort;

  const std::size_t cheap = fixed.sources().front();
  out.one_answer = one_answer_of(table, data, cheap);
  if (samples != nullptr) out.sampled = out_of_reach(*samples, table.arms[cheap]);

  const double budget = std::max(operating.mean.cost, fixed.cheapest().cost);
  if (const auto mix = fixed.mixture(budget)) {
    if (mix->weight < 1) out.mixture.push_back({table.arms[mix->low], 1 - mix->weight});
    if (mix->weight > 0) out.mixture.push_back({table.arms[mix->high], mix->weight});
    out.mixture_mean = {std::min(budget, best.cost), fixed.at(budget).value_or(best.score)};
  }
  out.verdict = verdict_of(out);
  return out;
}

}  // namespace rung::outcomes
