#include "predict/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/progress.h"
#include "outcomes/group.h"
#include "outcomes/hull.h"
#include "outcomes/split.h"
#include "predict/methods/best_route.h"
#include "predict/published_fit.h"

namespace rung::predict {
namespace {

constexpr PublishedMethod kMethods[] = {
    {"routellm-mf", PublishedRule::kFactors, "threshold", "win_chance", "arXiv 2406.18665"},
    {"routellm-sw", PublishedRule::kRanking, "threshold", "win_chance", "arXiv 2406.18665"},
    {"hybrid-det", PublishedRule::kMatch, "threshold", "win_chance", "arXiv 2404.14618"},
    {"hybrid-prob", PublishedRule::kMatch, "threshold", "win_chance", "arXiv 2404.14618"},
    {"hybrid-trans", PublishedRule::kMatch, "threshold", "win_chance", "arXiv 2404.14618"},
    {"best-route", PublishedRule::kOptions, "target_quality", "match_chance", "arXiv 2506.22716"},
    {"avengers-pro", PublishedRule::kClusters, "alpha", "", "arXiv 2508.12631"},
    {"avengers-pro-rank", PublishedRule::kClusters, "alpha", "", "arXiv 2508.12631"},
    {"avengers", PublishedRule::kClusters, "alpha", "", "arXiv 2505.19797"},
};
constexpr std::uint32_t kFolds = 5;

bool is_pair(PublishedRule rule) {
  return rule != PublishedRule::kOptions && rule != PublishedRule::kClusters;
}

class Trainer {
 public:
  Trainer(const outcomes::Table& table, const PublishedOptions& options,
          const PublishedMethod& method)
      : table_(table), options_(options), method_(method), m_(table.arm_count()) {}

  Result<PublishedModel> run() {
    if (table_.rows() == 0 || m_ == 0) return invalid("there are no outcomes to learn from");
    model_.method = method_.name;
    model_.seed = options_.seed;
    model_.rows = table_.rows();
    describe_arms();
    if (auto ok = choose_arms(); !ok) return ok.error();
    const auto text_of = [&](std::size_t i) { return table_.prompts[i]; };
    model_.embedding = fit_embedding(table_.rows(), text_of, options_.seed);
    x_ = embed_all(model_.embedding.view(), table_.rows(), text_of);
    if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted; nothing was written"};
    if (auto ok = fit(); !ok) return ok.error();
    return std::move(model_);
  }

 private:
  Error invalid(std::string sentence) const {
    return {ErrorCode::kInvalidData, fmt::format("{}: {}", method_.name, sentence)};
  }

  /// Means over the rows that have them, of every arm of the table.
  void describe_arms() {
    all_.resize(m_);
    tokens_.assign(m_, 0);
    for (std::size_t j = 0; j < m_; ++j) {
      ArmInfo& arm = all_[j];
      arm.name = table_.arms[j];
      double score = 0, cost = 0, tokens = 0;
      std::size_t scored = 0, priced = 0, counted = 0;
      for (std::size_t i = 0; i < table_.rows(); ++i) {
        const std::size_t cell = table_.cell(i, j);
        if (!std::isnan(table_.score[cell])) score += table_.score[cell], ++scored;
        if (!std::isnan(table_.cost[cell])) cost += table_.cost[cell], ++priced;
        if (table_.completion_tokens[cell] != outcomes::kNoTokens)
          tokens += table_.completion_tokens[cell], ++counted;
      }
      const auto mean = [](double sum, std::size_t n) {
        return n > 0 ? static_cast<float>(sum / static_cast<double>(n)) : 0.0f;
      };
      arm.rows = scored;
      arm.mean_quality = mean(score, scored);
      arm.mean_cost_usd = mean(cost, priced);
      arm.has_cost = priced > 0;
      arm.has_tokens = counted > 0;
      tokens_[j] = mean(tokens, counted);
    }
  }

  std::optional<std::size_t> find(const std::string& name) const {
    for (std::size_t j = 0; j < m_; ++j)
      if (all_[j].name == name && all_[j].rows > 0) return j;
    return std::nullopt;
  }

  /// The ends of the static hull, where they were not named.
  Result<void> choose_pair() {
    std::vector<outcomes::Point> points;
    std::vector<std::size_t> arms;
    for (std::size_t j = 0; j < m_; ++j) {
      if (!all_[j].has_cost || all_[j].rows == 0) continue;
      points.push_back({all_[j].mean_cost_usd, all_[j].mean_quality});
      arms.push_back(j);
    }
    const outcomes::Hull hull(points);
    for (const auto& [option, name, place, end] :
         {std::tuple{"--strong", options_.strong, &strong_, false},
          {"--weak", options_.weak, &weak_, true}}) {
      if (!name.empty()) {
        const auto found = find(name);
        if (!found)
          return Error{ErrorCode::kInvalidArgument,
                       fmt::format("{}: {} names \"{}\"; expected an arm with scores: {}",
                                   method_.name, option, name, fmt::join(table_.arms, ", "))};
        *place = *found;
      } else if (hull.empty()) {
        return invalid(fmt::format(
            "no arm has both a score and a cost, so there is no best and no cheapest one; name "
            "--strong and --weak among {}",
            fmt::join(table_.arms, ", ")));
      } else {
        *place = arms[end ? hull.sources().front() : hull.sources().back()];
      }
    }
    if (strong_ != weak_) return {};
    if (!options_.strong.empty() || !options_.weak.empty())
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("{}: strong and weak are both \"{}\"; expected two different arms "
                               "(name both with --strong and --weak)",
                               method_.name, all_[strong_].name)};
    return invalid(
        fmt::format("{} is both the best and the cheapest arm of these outcomes: there "
                    "is nothing to choose; name --strong and --weak for another pair",
                    all_[strong_].name));
  }

  Result<void> choose_arms() {
    const bool with_cost = method_.name != "avengers";
    if (is_pair(method_.rule)) {
      if (auto ok = choose_pair(); !ok) return ok;
      chosen_ = {strong_, weak_};
    } else if (!options_.weak.empty() ||
               (!options_.strong.empty() && method_.rule == PublishedRule::kClusters)) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("{} chooses among all arms: it takes no --weak{}", method_.name,
                               method_.rule == PublishedRule::kClusters ? " and no --strong" : "")};
    } else if (method_.rule == PublishedRule::kOptions) {
      if (auto ok = choose_options(); !ok) return ok;
    } else {
      for (std::size_t j = 0; j < m_; ++j)
        if (all_[j].rows > 0 && (all_[j].has_cost || !with_cost)) chosen_.push_back(j);
      if (chosen_.empty())
        return invalid(with_cost ? "no arm has both a score and a cost; alpha weighs one against "
                                   "the other (`avengers` needs no costs)"
                                 : "no arm has a score");
      if (chosen_.size() == 1)
        return invalid(fmt::format("{} is the only arm with {}: there is nothing to choose",
                                   all_[chosen_[0]].name,
                                   with_cost ? "a score and a cost" : "a score"));
    }
    for (const std::size_t j : chosen_) {
      model_.arms.push_back(all_[j]);
      model_.mean_tokens.push_back(tokens_[j]);
    }
    // Nobody publishes how sure these estimates are.
    model_.quality_se.assign(chosen_.size(), 0.5f);
    return {};
  }

  /// The arms cheaper than the reference, cheapest first, then the reference.
  Result<void> choose_options() {
    if (std::none_of(all_.begin(), all_.end(),
                     [](const ArmInfo& a) { return a.has_cost && a.rows > 0; }))
      return invalid(
          "no arm has both a score and a cost; it picks the cheapest option that is sure enough");
    std::size_t reference = m_;
    if (!options_.strong.empty()) {
      const auto found = find(options_.strong);
      if (!found || !all_[*found].has_cost)
        return Error{ErrorCode::kInvalidArgument,
                     fmt::format("{}: --strong names \"{}\"; expected an arm with scores and "
                                 "costs: {}",
                                 method_.name, options_.strong, fmt::join(table_.arms, ", "))};
      reference = *found;
    } else {
      for (std::size_t j = 0; j < m_; ++j)
        if (all_[j].has_cost && all_[j].rows > 0 &&
            (reference == m_ || all_[j].mean_quality > all_[reference].mean_quality ||
             (all_[j].mean_quality == all_[reference].mean_quality &&
              all_[j].mean_cost_usd < all_[reference].mean_cost_usd)))
          reference = j;
    }
    for (std::size_t j = 0; j < m_; ++j)
      if (all_[j].has_cost && all_[j].rows > 0 &&
          all_[j].mean_cost_usd < all_[reference].mean_cost_usd)
        chosen_.push_back(j);
    if (chosen_.empty())
      return invalid(
          fmt::format("no arm is cheaper than the reference {}: there is nothing to "
                      "choose",
                      all_[reference].name));
    std::stable_sort(chosen_.begin(), chosen_.end(), [&](std::size_t a, std::size_t b) {
      return all_[a].mean_cost_usd < all_[b].mean_cost_usd;
    });
    strong_ = reference;
    weak_ = chosen_.front();
    chosen_.push_back(reference);
    return {};
  }

  Matrix cells(const std::vector<float>& column, std::span<const std::size_t> arms) const {
    Matrix out(static_cast<Index>(table_.rows()), static_cast<Index>(arms.size()));
    for (std::size_t i = 0; i < table_.rows(); ++i)
      for (std::size_t a = 0; a < arms.size(); ++a)
        out(static_cast<Index>(i), static_cast<Index>(a)) = column[table_.cell(i, arms[a])];
    return out;
  }

  Result<void> fit() {
    FitInput in{.x = x_, .fold = {}, .folds = 0, .seed = options_.seed};
    const auto folds = [&] {
      const outcomes::Groups groups = outcomes::group_by_text(table_);
      in.folds = static_cast<std::uint32_t>(std::min<std::size_t>(kFolds, groups.count()));
      in.fold = outcomes::fold_rows(groups, in.folds, options_.seed);
    };
    std::string detail;
    switch (method_.rule) {
      case PublishedRule::kFactors:
      case PublishedRule::kRanking: {
        std::vector<std::size_t> every(m_);
        for (std::size_t j = 0; j < m_; ++j) every[j] = j;
        const auto battles = battles_from_scores(cells(table_.score, every));
        if (method_.rule == PublishedRule::kFactors) folds();
        auto done = method_.rule == PublishedRule::kFactors
                        ? fit_factors(in, battles, m_, strong_, weak_, model_)
                        : fit_ranking(in, battles, m_, strong_, weak_, model_);
        if (!done) return done.error().with(method_.name);
        detail = *std::move(done);
        break;
      }
      case PublishedRule::kMatch:
      case PublishedRule::kOptions: {
        folds();
        auto done = fit_heads(in, table_.prompts, cells(table_.score, chosen_), method_, model_);
        if (!done) return done.error().with(method_.name);
        detail = *std::move(done);
        break;
      }
      case PublishedRule::kClusters: {
        auto done = fit_cluster_tables(in, cells(table_.score, chosen_),
                                       cells(table_.cost, chosen_), model_);
        if (!done) return done.error().with(method_.name);
        detail = *std::move(done);
        break;
      }
    }
    model_.members = {{std::string(method_.name), std::move(detail), 1}};
    return {};
  }

  const outcomes::Table& table_;
  const PublishedOptions& options_;
  const PublishedMethod& method_;
  std::size_t m_, strong_ = 0, weak_ = 0;
  std::vector<std::size_t> chosen_;  // columns of the table, in the order of the model's arms
  std::vector<ArmInfo> all_;
  std::vector<float> tokens_;
  PublishedModel model_;
  Matrix x_;
};

}  // namespace

std::span<const PublishedMethod> published_methods() { return kMethods; }

const PublishedMethod* find_published(std::string_view name) {
  for (const PublishedMethod& method : kMethods)
    if (method.name == name) return &method;
  return nullptr;
}

Result<PublishedModel> train_published(const outcomes::Table& table,
                                       const PublishedOptions& options) {
  const PublishedMethod* method = find_published(options.method);
  if (method == nullptr)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("there is no published method \"{}\"", options.method)};
  return Trainer(table, options, *method).run();
}

}  // namespace rung::predict
