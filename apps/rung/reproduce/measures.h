#pragma once
// Numbers with intervals, and what they say of a claim. Shared by the claims.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reproduce/claims.h"

namespace rung::reproduce {

/// One number of one set, with its 95 % interval (paired bootstrap over queries).
struct Reading {
  std::string set;
  double value = 0, low = 0, high = 0;
};
using Readings = std::vector<Reading>;

/// A statistic of rows [0, n), drawn with replacement; empty where it is undefined.
using Statistic = std::function<std::optional<double>(std::span<const std::size_t> rows)>;
/// Nothing where the statistic is undefined on the rows.
std::optional<Reading> read(const std::string& set, std::size_t rows, const Statistic& statistic,
                            const Options& options);

/// "mmlupro 42 % (28 to 65); ..." with `form` of fmt for one number, after `unit` times it.
std::string list(const Readings& readings, double unit, std::string_view form,
                 std::string_view suffix);

/// For "up to X" (more is better): holds if a set reaches X and is surely above `nothing`; in part
/// if one is surely above `nothing`; else it does not hold. `what` begins the reason.
Measured judge_up_to(const Readings& readings, double published, double nothing,
                     std::string number);
/// For a number said of the usual case: holds if it is within or below the interval on at least
/// half of the sets; in part if some set is surely above `nothing`.
Measured judge_usual(const Readings& readings, double published, double nothing,
                     std::string number);

// ---- a pair, on rows given by number (of the pair's own order), with repeats

struct PairMeans {
  double weak = 0, strong = 0, weak_cost = 0, strong_cost = 0;
};
PairMeans means(const Pair& pair, std::span<const std::size_t> rows);
/// Strong calls go by score, highest first: the point after each one, from none to all
/// [rows + 1]. `cost` and `score` are means.
std::vector<outcomes::Point> pair_curve(const Pair& pair, std::span<const std::size_t> rows);
/// The lowest mean cost on the curve whose score is at least `score`.
std::optional<double> cost_at(std::span<const outcomes::Point> curve, double score);
/// Share of all-strong's cost that is saved at `fraction` of its score: by the router, by a coin.
std::optional<double> pair_saving(const Pair& pair, std::span<const std::size_t> rows,
                                  double fraction);
std::optional<double> coin_saving(const Pair& pair, std::span<const std::size_t> rows,
                                  double fraction);
/// Smallest share of strong calls that recovers `x` of the gap.
std::optional<double> pair_cpt(const Pair& pair, std::span<const std::size_t> rows, double x);
/// Area between the curve over the share of strong calls and "always weak", over the rectangle.
std::optional<double> pair_apgr(const Pair& pair, std::span<const std::size_t> rows);

// ---- a whole pool, on rows of the table, with repeats

/// Share of the best single arm's cost that the router saves at `fraction` of its score; 0 where it
/// does not get there or only at more cost.
std::optional<double> pool_saving(const Set& set, std::span<const std::size_t> rows,
                                  double fraction);
/// (best score of any setting - best single) / best single.
std::optional<double> pool_perf_gain(const Set& set, std::span<const std::size_t> rows);

/// One reading for each set with a pair, or for each set.
Readings over_pairs(const Bench& bench, const std::function<std::optional<double>(
                                            const Pair&, std::span<const std::size_t>)>& statistic);
Readings over_pools(const Bench& bench, const std::function<std::optional<double>(
                                            const Set&, std::span<const std::size_t>)>& statistic);

/// Kept short: a set with hundreds of arms is measured as any other.
inline constexpr double kPercent = 100;

}  // namespace rung::reproduce
