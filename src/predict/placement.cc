#include "predict/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "json/write.h"

namespace rung::predict {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kStrengths[] = {0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, kInfinity};
constexpr double kPriors[] = {1, 0};

/// Weights from regressing y [n] on x [n, m] with an intercept.
struct Fit {
  VectorD weights;       // [m]
  double intercept = 0;  // at x = 0
  double prior = 0, strength = kInfinity;
  double error = kInfinity;  // mean squared, leave-one-out
};

/// One setting: y = intercept + x (prior / m + delta), |delta|^2 penalised. The leave-one-out
/// residual of a ridge is residual / (1 - leverage).
Fit fit_one(const MatrixD& x, const VectorD& y, double prior, double strength) {
  const auto n = static_cast<double>(x.rows());
  Fit fit;
  fit.weights = VectorD::Constant(x.cols(), prior / static_cast<double>(x.cols()));
  fit.prior = prior;
  fit.strength = strength;
  const Eigen::RowVectorXd middle = x.colwise().mean();
  const MatrixD centred = x.rowwise() - middle;
  VectorD residual = y - x * fit.weights;
  residual.array() -= residual.mean();
  MatrixD half = MatrixD::Zero(x.cols(), x.rows());
  if (strength < kInfinity) {
    MatrixD gram = centred.transpose() * centred;
    gram.diagonal().array() += strength;
    half = gram.ldlt().solve(centred.transpose());
    const VectorD delta = half * residual;
    fit.weights += delta;
    residual -= centred * delta;
  }
  fit.intercept = y.mean() - middle.dot(fit.weights);
  double squares = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    const double leverage = 1 / n + centred.row(i).dot(half.col(i));
    squares += std::pow(residual(i) / std::max(1 - leverage, 1e-3), 2);
  }
  fit.error = squares / n;
  return fit;
}

Fit fit_best(const MatrixD& x, const VectorD& y) {
  Fit best;
  for (const double prior : kPriors)
    for (const double strength : kStrengths)
      if (Fit fit = fit_one(x, y, prior, strength); fit.error < best.error) best = std::move(fit);
  return best;
}

/// The base from the fit (x are deviations from the known means, so the intercept is what a prompt
/// of the training rows scores on average), drawn to the mean of the known arms by as much as its
/// own error demands.
double shrunk_base(const Model& model, double base, double variance) {
  double sum = 0, squares = 0, n = 0;
  for (const ArmInfo& arm : model.arms) {
    if (arm.rows == 0) continue;
    sum += arm.mean_quality;
    squares += static_cast<double>(arm.mean_quality) * arm.mean_quality;
    n += 1;
  }
  if (n < 3) return base;  // nothing is known of the spread of models
  const double mean = sum / n;
  const double spread = std::max(0.0, (squares - n * mean * mean) / (n - 1));
  const double keep = spread + variance > 0 ? spread / (spread + variance) : 1;
  return mean + keep * (base - mean);
}

/// How far a known arm would be off if it were placed from the others in this way: root mean
/// square over arms and anchors of (placed - what the router says), at the strength of `fit`. The
/// scores of anchors are ones that the router was trained on, so `fit.error` bounds it from below.
double placing_error(const MatrixD& x, const MatrixD& estimate, const Fit& fit) {
  const Index m = x.cols();
  if (m < 3) return 0;
  double squares = 0;
  for (Index a = 0; a < m; ++a) {
    MatrixD others(x.rows(), m - 1), said(x.rows(), m - 1);
    for (Index j = 0, k = 0; j < m; ++j) {
      if (j == a) continue;
      others.col(k) = x.col(j);
      said.col(k++) = estimate.col(j);
    }
    const Fit own = fit_one(others, x.col(a), fit.prior, fit.strength);
    const VectorD off = ((said * own.weights).array() + own.intercept).matrix() - estimate.col(a);
    squares += off.squaredNorm() / static_cast<double>(x.rows());
  }
  return std::sqrt(squares / static_cast<double>(m));
}

/// Appends the column old x weights to a row-major table [rows, m].
void append_column(std::vector<float>& table, std::size_t m, const std::vector<double>& weights) {
  if (table.empty()) return;
  const std::size_t rows = table.size() / m;
  std::vector<float> out;
  out.reserve(rows * (m + 1));
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = &table[i * m];
    double sum = 0, present = 0, total = 0;
    for (std::size_t j = 0; j < m; ++j) {
      total += std::abs(weights[j]);
      if (std::isnan(row[j])) continue;
      sum += weights[j] * static_cast<double>(row[j]);
      present += std::abs(weights[j]);
    }
    out.insert(out.end(), row, row + m);
    // An exemplar that few of the weighty arms have scored says nothing of the new one.
    out.push_back(total > 0 && present < total / 2 ? std::numeric_limits<float>::quiet_NaN()
                                                   : static_cast<float>(sum));
  }
  table = std::move(out);
}

/// The known arm whose model of costs (or tokens), scaled to the new arm's mean, is nearest to what
/// the new arm took on the anchors; a constant if that is nearer still.
struct Scaled {
  std::optional<std::size_t> like;
  double scale = 1, mean = 0;
  bool known = false;
};

Scaled most_similar(const AmountModel& amounts, const Matrix& x, const Vector& seen) {
  std::vector<Index> rows;
  double sum = 0;
  for (Index i = 0; i < seen.size(); ++i)
    if (std::isfinite(seen(i)) && seen(i) >= 0) rows.push_back(i), sum += seen(i);
  Scaled best;
  if (rows.empty() || !(sum > 0)) return best;
  const auto n = static_cast<double>(rows.size());
  best.known = true;
  best.mean = sum / n;
  double least = 0;
  for (const Index i : rows) least += (seen(i) - best.mean) * (seen(i) - best.mean);
  for (std::size_t a = 0; a < amounts.form.size(); ++a) {
    if (amounts.form[a] == AmountForm::kUnknown) continue;
    std::vector<double> said;
    double total = 0;
    for (const Index i : rows) {
      said.push_back(amount(amounts.form[a], {&amounts.weights[a * kDesignDims], kDesignDims},
                            amounts.low[a], amounts.high[a], {x.row(i).data(), kDesignDims}));
      total += said.back();
    }
    if (!(total > 0)) continue;
    const double scale = sum / total;
    double error = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      error += std::pow(scale * said[i] - static_cast<double>(seen(rows[i])), 2);
    if (error >= least) continue;
    least = error;
    best.like = a;
    best.scale = scale;
  }
  return best;
}

void append_amounts(AmountModel& amounts, const Scaled& scaled) {
  std::vector<float> weights(kDesignDims, 0.0f);
  AmountForm form = AmountForm::kUnknown;
  double low = 0, high = 0;
  if (scaled.like) {
    const std::size_t a = *scaled.like;
    form = amounts.form[a];
    low = scaled.scale * static_cast<double>(amounts.low[a]);
    high = scaled.scale * static_cast<double>(amounts.high[a]);
    weights.assign(&amounts.weights[a * kDesignDims],
                   &amounts.weights[a * kDesignDims] + kDesignDims);
    if (form == AmountForm::kLog) {
      weights[kQualityDims - 1] += static_cast<float>(std::log(scaled.scale));
    } else {
      for (float& w : weights) w *= static_cast<float>(scaled.scale);
    }
  } else if (scaled.known) {
    form = AmountForm::kMean;
    weights[kQualityDims - 1] = static_cast<float>(scaled.mean);
    low = high = scaled.mean;
  }
  amounts.form.push_back(form);
  amounts.weights.insert(amounts.weights.end(), weights.begin(), weights.end());
  constexpr double kMost = std::numeric_limits<float>::max();
  amounts.low.push_back(static_cast<float>(std::min(low, kMost)));
  amounts.high.push_back(static_cast<float>(std::min(high, kMost)));
}

Result<void> check(const Model& model, const std::string& name, const AnchorRows& rows) {
  if (name.empty())
    return Error{ErrorCode::kInvalidArgument, "the new arm has no name; expected one"};
  for (const ArmInfo& arm : model.arms)
    if (arm.name == name)
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("the router already has an arm \"{}\"; expected a new name", name)};
  if (static_cast<std::size_t>(rows.score.size()) < kFewestAnchors)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} anchors have a score of \"{}\"; expected at least {}, and about "
                             "100 for a placement worth having",
                             rows.score.size(), name, kFewestAnchors)};
  for (Index i = 0; i < rows.score.size(); ++i)
    if (!(rows.score(i) >= 0 && rows.score(i) <= 1))
      return Error{ErrorCode::kInvalidData,
                   fmt::format("anchor {} has the score {:g}; expected 0 to 1", i, rows.score(i))};
  return {};
}

}  // namespace

std::vector<Estimate> estimate_rows(const ModelView& model, const Matrix& x) {
  std::vector<Estimate> out(static_cast<std::size_t>(x.rows()) * model.arms);
  EstimateScratch scratch;
  for (Index i = 0; i < x.rows(); ++i)
    estimate_arms(model, {x.row(i).data(), kDesignDims}, {},
                  {out.data() + static_cast<std::size_t>(i) * model.arms, model.arms}, scratch);
  return out;
}

Result<Placement> place_arm(Model& model, const std::string& name, const AnchorRows& rows) {
  if (auto good = check(model, name, rows); !good) return good.error();
  const std::size_t m = model.arms.size();
  const auto n = rows.score.size(), arms = static_cast<Index>(m);
  RUNG_CHECK(rows.known.rows() == n && rows.known.cols() == arms && rows.x.rows() == n,
             "anchors of another shape than the router's");
  // 1. What the known arms scored, less their means; where that is missing, what is expected.
  const std::vector<Estimate> said = estimate_rows(model.view(), rows.x);
  MatrixD x(n, arms), estimate(n, arms);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < arms; ++j) {
      const auto a = static_cast<std::size_t>(j);
      const double mean = model.base[a];
      estimate(i, j) =
          static_cast<double>(said[static_cast<std::size_t>(i) * m + a].quality) - mean;
      x(i, j) = std::isnan(rows.known(i, j)) ? estimate(i, j)
                                             : static_cast<double>(rows.known(i, j)) - mean;
    }
  // 2. Weights, base and doubt.
  const VectorD y = rows.score.cast<double>();
  //    The known scores, not what the router expects of the known arms: it was trained on these
  //    very prompts, so its estimates look better here than they are, and weights fitted to them
  //    overshoot (measured: a mean error of 0.11 instead of 0.08 on the nine models of llmrouter9).
  const Fit fit = fit_best(x, y);
  Placement out;
  out.name = name;
  out.anchors = static_cast<std::size_t>(n);
  out.weights.assign(fit.weights.data(), fit.weights.data() + m);
  out.prior = fit.prior;
  out.strength = fit.strength;
  out.error = std::sqrt(fit.error);
  out.error_of_mean = std::sqrt(fit_one(x, y, 0, kInfinity).error);
  const double variance = fit.error / static_cast<double>(n);
  out.base_se = std::sqrt(variance);
  out.base = std::clamp(shrunk_base(model, fit.intercept, variance), 0.0, 1.0);
  double floor = 0;
  for (const float se : model.se_floor) floor += static_cast<double>(se) * se;
  floor /= static_cast<double>(m);
  const double off = placing_error(x, estimate, fit);
  out.quality_se = std::sqrt(floor + std::max(off * off, variance));
  // 3. Columns. A pruned arm has none of its own: its weight falls on the two that it follows.
  std::vector<double> columns = out.weights;
  for (const PrunedArm& p : model.pruned) {
    columns[p.low] += (1 - static_cast<double>(p.weight)) * columns[p.arm];
    columns[p.high] += static_cast<double>(p.weight) * columns[p.arm];
    columns[p.arm] = 0;
  }
  append_column(model.linear, m, columns);
  append_column(model.task_table, m, columns);
  append_column(model.cluster_table, m, columns);
  append_column(model.exemplar_deviation, m, columns);
  model.base.push_back(static_cast<float>(out.base));
  model.se_floor.push_back(static_cast<float>(out.quality_se));
  model.noise.push_back(static_cast<float>(out.error));
  // 4. Money and tokens.
  const Scaled cost = most_similar(model.cost, rows.x, rows.cost);
  const Scaled tokens = most_similar(model.tokens, rows.x, rows.completion_tokens);
  append_amounts(model.cost, cost);
  append_amounts(model.tokens, tokens);
  if (cost.like) out.cost_like = model.arms[*cost.like].name, out.cost_scale = cost.scale;
  if (tokens.like) out.tokens_like = model.arms[*tokens.like].name, out.tokens_scale = tokens.scale;
  ArmInfo info;
  info.name = name;
  info.description = fmt::format("placed from {} anchors", n);
  info.mean_quality = static_cast<float>(out.base);
  info.mean_cost_usd = cost.known ? static_cast<float>(cost.mean) : 0;
  info.rows = out.anchors;
  info.has_cost = cost.known;
  info.has_tokens = tokens.known;
  model.arms.push_back(std::move(info));
  return out;
}

std::string placement_json(const Placement& placement, const std::vector<ArmInfo>& arms) {
  json::Writer w;
  w.begin_object().key("arm").string(placement.name).key("anchors").number(placement.anchors);
  w.key("base").number(placement.base).key("base_se").number(placement.base_se);
  w.key("quality_se").number(placement.quality_se);
  w.key("leave_one_out_error").number(placement.error);
  w.key("leave_one_out_error_of_mean").number(placement.error_of_mean);
  w.key("prior").number(placement.prior).key("strength").number(placement.strength);
  w.key("cost_like").string(placement.cost_like).key("cost_scale").number(placement.cost_scale);
  w.key("tokens_like").string(placement.tokens_like);
  w.key("tokens_scale").number(placement.tokens_scale).key("weights").begin_object();
  for (std::size_t j = 0; j < placement.weights.size(); ++j)
    w.key(arms[j].name).number(placement.weights[j]);
  w.end_object().end_object();
  return w.take();
}

Result<Model> to_model(const Artefact& artefact) {
  const ModelView& v = artefact.view;
  const std::string_view method = artefact.file.metadata("method");
  constexpr std::string_view kTables[] = {"ensemble", "linear",  "neighbours", "knn",   "tasks",
                                          "clusters", "cluster", "lowrank",    "static"};
  if (std::find(std::begin(kTables), std::end(kTables), method) == std::end(kTables))
    return Error{ErrorCode::kUnsupported,
                 fmt::format("the router's method is \"{}\"; an arm can be placed only in routers "
                             "of the methods {}",
                             method, fmt::join(kTables, ", "))};
  const auto copy = [](auto span) {
    return std::vector<std::remove_const_t<typename decltype(span)::element_type>>(span.begin(),
                                                                                   span.end());
  };
  const auto number = [&](std::string_view key) {
    const std::string text(artefact.file.metadata(key));
    return text.empty() ? 0.0 : std::strtod(text.c_str(), nullptr);
  };
  const auto forms = [](std::span<const std::uint8_t> bytes) {
    std::vector<AmountForm> out;
    for (const std::uint8_t byte : bytes) out.push_back(static_cast<AmountForm>(byte));
    return out;
  };
  Model m;
  m.method = method;
  m.is_static = artefact.is_static;
  m.seed = std::strtoull(std::string(artefact.file.metadata("seed")).c_str(), nullptr, 10);
  m.rows = std::strtoull(std::string(artefact.file.metadata("rows")).c_str(), nullptr, 10);
  m.common = artefact.view.common;
  m.hull_gain = number("out_of_fold_hull_gain");
  m.hull_gain_se = number("out_of_fold_hull_gain_se");
  m.arms = artefact.arms;
  m.members = artefact.members;
  m.embedding = {copy(v.embedding.idf),
                 copy(v.embedding.table),
                 copy(v.embedding.column_scale),
                 copy(v.embedding.surface_mean),
                 copy(v.embedding.surface_scale),
                 v.embedding.mean_bytes,
                 v.embedding.max_bytes};
  m.base = copy(v.base);
  m.linear = copy(v.linear);
  m.task_weights = copy(v.task_weights);
  m.task_table = copy(v.task_table);
  m.centroids = copy(v.centroids);
  m.cluster_table = copy(v.cluster_table);
  m.exemplars = copy(v.exemplars);
  m.exemplar_deviation = copy(v.exemplar_deviation);
  m.neighbours = v.neighbours;
  m.pruned = copy(v.pruned);
  m.cost = {forms(v.cost_form), copy(v.cost_weights), copy(v.cost_low), copy(v.cost_high)};
  m.tokens = {forms(v.token_form), copy(v.token_weights), copy(v.token_low), copy(v.token_high)};
  m.se_floor = copy(v.se_floor);
  m.noise = copy(v.noise);
  m.covariance = copy(v.covariance);
  return m;
}

}  // namespace rung::predict
