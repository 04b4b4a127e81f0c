#include "judging.h"

#include <algorithm>
#include <cmath>

#include "own_knob.h"

#ifndef RUNG_NO_PREDICT
#include "predict/artefact.h"
#include "predict/published_artefact.h"
#include "predict/train.h"

namespace rung::cli {

outcomes::Table select_arms(const outcomes::Table& all, const std::vector<std::size_t>& rows,
                            const std::vector<std::size_t>& arms) {
  std::vector<std::size_t> kept;
  for (const std::size_t row : rows)
    if (std::any_of(arms.begin(), arms.end(),
                    [&](std::size_t arm) { return std::isfinite(all.score[all.cell(row, arm)]); }))
      kept.push_back(row);
  outcomes::Table out = outcomes::select_rows(all, kept);
  const auto columns = [&](auto& values) {
    std::remove_reference_t<decltype(values)> chosen;
    for (std::size_t row = 0; row < kept.size(); ++row)
      for (const std::size_t arm : arms) chosen.push_back(values[row * all.arm_count() + arm]);
    values = std::move(chosen);
  };
  columns(out.score), columns(out.cost), columns(out.prompt_tokens), columns(out.completion_tokens);
  out.arms.clear();
  for (const std::size_t arm : arms) out.arms.push_back(all.arms[arm]);
  return out;
}

Result<std::shared_ptr<const predict::Router>> train_method(const outcomes::Table& table,
                                                            const Method& method) {
  const auto* published = predict::find_published(method.name);
  if (published != nullptr) {
    predict::PublishedOptions how{method.name, {}, {}, 1};
    if (published->knob != "alpha") how.strong = method.strong;
    if (published->knob == "threshold") how.weak = method.weak;
    auto model = predict::train_published(table, how);
    if (!model) return model.error();
    return predict::Router::from_bytes(predict::write_published(*model, {}));
  }
  auto model = predict::train(table, {.method = method.name, .folds = 0, .seed = 1});
  if (!model) return model.error();
  return predict::Router::from_bytes(predict::write_artefact(*model, {}));
}

Predicted predicted(const predict::Router& router, const outcomes::Table& test,
                    const Estimates& estimates) {
  Predicted out;
  for (const std::string& name : test.arms) {
    std::size_t at = kNotKnown;
    for (std::size_t i = 0; i < router.arms().size(); ++i)
      if (router.arms()[i].name == name) at = i;
    out.in_router.push_back(at);
  }
  for (std::size_t row = 0; row < test.rows(); ++row)
    for (const std::size_t at : out.in_router) {
      const bool known = at != kNotKnown && estimates.at(row, at).has_cost;
      out.quality.push_back(known ? estimates.at(row, at).quality : 0.0f);
      out.cost.push_back(known ? estimates.at(row, at).cost_usd : 1e9f);
    }
  return out;
}

Result<outcomes::HullGain> judge_gain(const predict::Router& router, const outcomes::Table& test,
                                      const outcomes::HullGainOptions& options) {
  auto estimates = estimate_all(router, test);
  if (!estimates) return estimates.error();
  const Predicted p = predicted(router, test, *estimates);
  const outcomes::Estimated data{test.rows(), test.arm_count(), test.score,
                                 test.cost,   p.quality,        p.cost};
  const auto curve = own_knob(router, test, *estimates, p.in_router, data);
  return curve ? outcomes::hull_gain(data, *curve, options) : outcomes::hull_gain(data, options);
}

}  // namespace rung::cli
#endif
