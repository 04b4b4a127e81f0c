#include "predict/methods/matrix_factorisation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace rung::predict {
namespace {

/// As torch's normalize: a row of zeros stays one.
constexpr double kLeastNorm = 1e-12;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

VectorD unit_row(const MatrixD& table, std::size_t row) {
  const VectorD v = table.row(static_cast<Index>(row)).transpose();
  return v / std::max(v.norm(), kLeastNorm);
}

/// One parameter table under Adam (Kingma and Ba 2015), with L2 in the gradient.
class Adam {
 public:
  explicit Adam(Index size) : first_(VectorD::Zero(size)), second_(VectorD::Zero(size)) {}
  void step(Eigen::Ref<VectorD> value, const Eigen::Ref<const VectorD>& gradient,
            const MfOptions& options, std::size_t t) {
    const auto g = (gradient + options.weight_decay * value).eval();
    first_ = 0.9 * first_ + 0.1 * g;
    second_ = 0.999 * second_ + 0.001 * g.cwiseAbs2();
    const double fix_first = 1 - std::pow(0.9, static_cast<double>(t));
    const double fix_second = 1 - std::pow(0.999, static_cast<double>(t));
    value.array() -= options.learning_rate * (first_.array() / fix_first) /
                     ((second_.array() / fix_second).sqrt() + 1e-8);
  }

 private:
  VectorD first_, second_;
};

Eigen::Map<VectorD> flat(MatrixD& table) { return {table.data(), table.size()}; }

MatrixD gather(const Matrix& embeddings, std::span<const Preference> pairs) {
  MatrixD prompts(static_cast<Index>(pairs.size()), embeddings.cols());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    prompts.row(static_cast<Index>(i)) = embeddings.row(pairs[i].row).cast<double>();
  return prompts;
}

/// torch's defaults: normal rows for an embedding, uniform +-1 / sqrt(inputs) for a linear layer.
MatrixFactorisation start(std::size_t models, Index dims, std::size_t rank, Rng& rng) {
  const auto r = static_cast<Index>(rank);
  MatrixFactorisation model{MatrixD(static_cast<Index>(models), r), MatrixD(r, dims), VectorD(r),
                            std::vector<bool>(models)};
  for (Index i = 0; i < model.models.size(); ++i) model.models(i) = rng.normal();
  const double wide = 1 / std::sqrt(static_cast<double>(dims));
  for (Index i = 0; i < model.projection.size(); ++i)
    model.projection(i) = wide * (2 * rng.uniform() - 1);
  for (Index i = 0; i < r; ++i)
    model.head(i) = (2 * rng.uniform() - 1) / std::sqrt(static_cast<double>(r));
  return model;
}

Result<void> check_options(const MfOptions& o) {
  const bool ok = o.rank > 0 && o.batch > 0 && o.epochs > 0 && o.learning_rate > 0 &&
                  std::isfinite(o.learning_rate) && o.weight_decay >= 0 &&
                  std::isfinite(o.weight_decay) && o.noise >= 0 && std::isfinite(o.noise) &&
                  o.held_out >= 0 && o.held_out < 1;
  if (ok) return {};
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format("rank {}, batch {}, epochs {}, learning rate {}, weight decay {}, noise "
                  "{}, held out {}: the first four must be above 0, the next two at least "
                  "0, the last in [0, 1)",
                  o.rank, o.batch, o.epochs, o.learning_rate, o.weight_decay, o.noise, o.held_out)};
}

}  // namespace

double MatrixFactorisation::delta(std::size_t model, const VectorD& query) const {
  return head.dot(unit_row(models, model).cwiseProduct(projection * query));
}

Result<VectorD> MatrixFactorisation::pair_direction(std::size_t strong, std::size_t weak) const {
  for (const std::size_t model : {strong, weak})
    if (model >= seen.size() || !seen[model])
      return Error{ErrorCode::kNotFound,
                   fmt::format("model {} was in no pair that the factors were trained on", model)};
  const VectorD gap = unit_row(models, strong) - unit_row(models, weak);
  return VectorD(projection.transpose() * head.cwiseProduct(gap));
}

Result<double> MatrixFactorisation::strong_probability(const VectorD& query, std::size_t strong,
                                                       std::size_t weak) const {
  const auto direction = pair_direction(strong, weak);
  if (!direction) return direction.error();
  return sigmoid(direction->dot(query));
}

double pair_probability(std::span<const float> direction, std::span<const float> query) {
  RUNG_CHECK(direction.size() == query.size(), "a direction has the dimensions of a query");
  double dot = 0;
  for (std::size_t i = 0; i < query.size(); ++i)
    dot += static_cast<double>(direction[i]) * static_cast<double>(query[i]);
  return sigmoid(dot);
}

std::vector<Preference> preferences(std::span<const Battle> battles) {
  std::vector<Preference> pairs;
  for (const Battle& b : battles) {
    if (b.winner == Winner::kTie || b.model_a == b.model_b) continue;
    const bool a = b.winner == Winner::kA;
    pairs.push_back({a ? b.model_a : b.model_b, a ? b.model_b : b.model_a, b.row});
  }
  return pairs;
}

double preference_loss(const MatrixFactorisation& model, std::span<const Preference> pairs,
                       const MatrixD& prompts, MfGradient* gradient) {
  const auto b = static_cast<Index>(pairs.size());
  RUNG_CHECK(prompts.rows() == b, "one prompt for each pair");
  if (b == 0) return 0;
  const VectorD norm = model.models.rowwise().norm().cwiseMax(kLeastNorm);
  const MatrixD unit = norm.cwiseInverse().asDiagonal() * model.models;
  MatrixD gap(b, model.models.cols());  // of the unit rows
  for (Index i = 0; i < b; ++i) {
    const Preference& pair = pairs[static_cast<std::size_t>(i)];
    gap.row(i) = unit.row(pair.winner) - unit.row(pair.loser);
  }
  const MatrixD projected = prompts * model.projection.transpose();
  const VectorD margin = gap.cwiseProduct(projected) * model.head;
  double loss = 0;
  VectorD slope(b);
  for (Index i = 0; i < b; ++i) {
    loss += softplus(-margin(i)) / static_cast<double>(b);
    slope(i) = -sigmoid(-margin(i)) / static_cast<double>(b);
  }
  if (gradient == nullptr) return loss;
  gradient->head = gap.cwiseProduct(projected).transpose() * slope;
  const MatrixD weighted = slope.asDiagonal() * gap * model.head.asDiagonal();
  gradient->projection.noalias() = weighted.transpose() * prompts;
  const MatrixD by_gap = slope.asDiagonal() * projected * model.head.asDiagonal();
  MatrixD by_unit = MatrixD::Zero(unit.rows(), unit.cols());
  for (Index i = 0; i < b; ++i) {
    by_unit.row(pairs[static_cast<std::size_t>(i)].winner) += by_gap.row(i);
    by_unit.row(pairs[static_cast<std::size_t>(i)].loser) -= by_gap.row(i);
  }
  // Through the normalisation: what lies along the row itself does not count.
  const VectorD along = by_unit.cwiseProduct(unit).rowwise().sum();
  gradient->models = norm.cwiseInverse().asDiagonal() * (by_unit - along.asDiagonal() * unit);
  return loss;
}

Result<MfFit> fit_matrix_factorisation(std::span<const Battle> battles, const Matrix& embeddings,
                                       std::size_t models, const MfOptions& options) {
  // 1. Pairs that say something, some of them held out.
  if (auto ok = check_options(options); !ok) return ok.error();
  if (auto ok = check_battles(battles, models, static_cast<std::size_t>(embeddings.rows())); !ok)
    return ok.error();
  std::vector<Preference> pairs = preferences(battles);
  if (pairs.empty())
    return Error{ErrorCode::kInvalidData,
                 fmt::format("none of {} battles has a winner among two models; factors need one",
                             battles.size())};
  Rng rng(options.seed);
  rng.shuffle(std::span<Preference>(pairs));
  const auto held = static_cast<std::size_t>(options.held_out * static_cast<double>(pairs.size()));
  const std::vector<Preference> held_out(pairs.end() - static_cast<std::ptrdiff_t>(held),
                                         pairs.end());
  pairs.resize(pairs.size() - held);

  // 2. Adam, batch by batch.
  MfFit fit{start(models, embeddings.cols(), options.rank, rng), pairs.size(), {}, {}};
  MatrixFactorisation& model = fit.model;
  for (const Preference& pair : pairs) model.seen[pair.winner] = model.seen[pair.loser] = true;
  Adam by_models(model.models.size()), by_projection(model.projection.size()),
      by_head(model.head.size());
  MfGradient gradient;
  std::size_t steps = 0;
  for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
    rng.shuffle(std::span<Preference>(pairs));
    double sum = 0;
    for (std::size_t begin = 0; begin < pairs.size(); begin += options.batch) {
      const auto batch = std::span<const Preference>(pairs).subspan(
          begin, std::min(options.batch, pairs.size() - begin));
      MatrixD prompts = gather(embeddings, batch);
      if (options.noise > 0)
        for (Index i = 0; i < prompts.size(); ++i) prompts(i) += options.noise * rng.normal();
      sum += preference_loss(model, batch, prompts, &gradient) * static_cast<double>(batch.size());
      ++steps;
      by_models.step(flat(model.models), flat(gradient.models), options, steps);
      by_projection.step(flat(model.projection), flat(gradient.projection), options, steps);
      by_head.step(model.head, gradient.head, options, steps);
    }
    fit.loss.push_back(sum / static_cast<double>(pairs.size()));
    if (held == 0) continue;
    double held_sum = 0;
    for (std::size_t begin = 0; begin < held; begin += options.batch) {
      const auto batch = std::span<const Preference>(held_out).subspan(
          begin, std::min(options.batch, held - begin));
      held_sum += preference_loss(model, batch, gather(embeddings, batch)) *
                  static_cast<double>(batch.size());
    }
    fit.held_out_loss.push_back(held_sum / static_cast<double>(held));
  }
  return fit;
}

}  // namespace rung::predict
