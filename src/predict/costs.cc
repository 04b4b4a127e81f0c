#include "predict/costs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/parallel.h"
#include "predict/embedding.h"
#include "predict/ridge.h"

namespace rung::predict {
namespace {

constexpr double kAlphas[] = {1, 10, 100};

/// The design vector of costs: the length stands before the intercept, which FoldedRidge wants
/// last.
Matrix cost_design(const Matrix& x, const std::vector<Index>& rows) {
  Matrix out(static_cast<Index>(rows.size()), static_cast<Index>(kDesignDims));
  const auto q = static_cast<Index>(kQualityDims);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto row = out.row(static_cast<Index>(i));
    row = x.row(rows[i]);
    std::swap(row(q - 1), row(q));
  }
  return out;
}

}  // namespace

float amount(AmountForm form, std::span<const float> weights, float low, float high,
             std::span<const float> design) {
  const auto n = static_cast<Index>(design.size());
  float value =
      Eigen::Map<const Vector>(weights.data(), n).dot(Eigen::Map<const Vector>(design.data(), n));
  if (form == AmountForm::kLog) value = std::exp(std::min(value, 60.0f));
  return std::clamp(value, low, high);
}

namespace {

/// Ridges of one pool, as they are and on the logarithm.
class PoolAmounts {
 public:
  PoolAmounts(const Dataset& data, const Matrix& values, const Pool& pool)
      : pool_(pool),
        n_(static_cast<Index>(pool.rows.size())),
        k_(static_cast<Index>(pool.arms.size())),
        x_(cost_design(data.x, pool.rows)),
        y_(n_, k_),
        mean_(k_),
        low_(k_),
        high_(k_),
        variance_(k_) {
    for (const Index i : pool.rows) fold_.push_back(data.fold[static_cast<std::size_t>(i)]);
    for (Index i = 0; i < n_; ++i)
      for (Index j = 0; j < k_; ++j)
        y_(i, j) =
            values(pool.rows[static_cast<std::size_t>(i)], pool.arms[static_cast<std::size_t>(j)]);
    Matrix logs(n_, k_);
    for (Index j = 0; j < k_; ++j) {
      mean_(j) = static_cast<float>(y_.col(j).cast<double>().mean());
      variance_(j) = (y_.col(j).array() - mean_(j)).square().cast<double>().mean();
      // An amount of 0 (a refused answer) has no logarithm: a hundredth of the mean stands for it.
      const float floor = std::max(mean_(j) * 0.01f, std::numeric_limits<float>::min());
      low_(j) = std::max(y_.col(j).minCoeff(), floor);
      high_(j) = std::max(y_.col(j).maxCoeff(), low_(j));
      for (Index i = 0; i < n_; ++i) logs(i, j) = std::log(std::max(y_(i, j), floor));
    }
    log_mean_ = logs.colwise().mean();
    // The logarithm has no use for the length itself: its last two columns are log length (a
    // surface count) and 1.
    log_x_ = x_;
    log_x_.col(static_cast<Index>(kQualityDims) - 1).setZero();
    linear_.emplace(x_, static_cast<Index>(kDesignDims), y_, fold_, data.folds);
    log_.emplace(log_x_, static_cast<Index>(kDesignDims), logs, fold_, data.folds);
  }

  struct Trial {
    AmountForm form = AmountForm::kMean;
    double alpha = 0, own = 1;
    double error = 1;   // squared, of an arm on average, in parts of its variance
    VectorD errors;     // [k] the same of each arm; 0 where nothing varies
    Matrix prediction;  // [n, k], out of fold
    Vector scale;       // [k] what the mean of exponentials lacks
  };

  Trial means() const {
    return {AmountForm::kMean, 0, 1, 1, VectorD::Ones(k_), mean_.transpose().replicate(n_, 1),
            Vector::Ones(k_)};
  }

  Trial attempt(AmountForm form, double alpha, double own) const {
    Trial trial{form, alpha, own, 0, VectorD::Zero(k_), {}, Vector::Ones(k_)};
    Matrix& p = trial.prediction;
    if (form == AmountForm::kLog) {
      p = log_->out_of_fold(alpha, log_x_, fold_);
      p.rowwise() -= log_mean_;
      share(p, own);
      p.rowwise() += log_mean_;
      p = p.array().min(60.0f).exp().matrix();
      for (Index j = 0; j < k_; ++j) {
        trial.scale(j) = static_cast<float>(y_.col(j).cast<double>().sum() /
                                            std::max(1e-30, p.col(j).cast<double>().sum()));
        p.col(j) *= trial.scale(j);
      }
    } else {
      p = linear_->out_of_fold(alpha, x_, fold_);
    }
    int varied = 0;
    for (Index j = 0; j < k_; ++j) {
      p.col(j) = p.col(j).array().max(low_(j)).min(high_(j)).matrix();
      if (variance_(j) <= 0) continue;
      const double squares = (p.col(j) - y_.col(j)).cast<double>().squaredNorm();
      trial.errors(j) = squares / (variance_(j) * static_cast<double>(n_));
      trial.error += trial.errors(j);
      ++varied;
    }
    trial.error = varied > 0 ? trial.error / varied : 1;
    return trial;
  }

  /// Of every arm, or of those in `columns`.
  void write(const Trial& trial, AmountFit& fit, std::vector<Index> columns = {}) const {
    if (columns.empty())
      for (Index j = 0; j < k_; ++j) columns.push_back(j);
    MatrixD w;
    if (trial.form == AmountForm::kLinear) w = linear_->solve_all(trial.alpha);
    if (trial.form == AmountForm::kLog) {
      w = log_->solve_all(trial.alpha);
      w.row(w.rows() - 1) -= log_mean_.cast<double>();
      share(w, trial.own);
      w.row(w.rows() - 1) += log_mean_.cast<double>();
    }
    for (const Index j : columns) {
      const auto arm = static_cast<std::size_t>(pool_.arms[static_cast<std::size_t>(j)]);
      AmountModel& model = fit.model;
      const bool constant = trial.form == AmountForm::kMean || variance_(j) <= 0;
      model.low[arm] = low_(j);
      model.high[arm] = high_(j);
      model.form[arm] = constant ? AmountForm::kMean : trial.form;
      for (Index i = 0; i < n_; ++i)
        fit.out_of_fold(pool_.rows[static_cast<std::size_t>(i)], static_cast<Index>(arm)) =
            constant ? mean_(j) : trial.prediction(i, j);
      float* to = &model.weights[arm * kDesignDims];
      if (constant) {
        to[kQualityDims - 1] = mean_(j);
        continue;
      }
      for (std::size_t d = 0; d < kDesignDims; ++d)
        to[d] = static_cast<float>(w(static_cast<Index>(d), j));
      // Back to the order of the design vector.
      std::swap(to[kQualityDims - 1], to[kDesignDims - 1]);
      if (trial.form == AmountForm::kLog) {
        to[kQualityDims - 1] += std::log(trial.scale(j));
        to[kDesignDims - 1] = 0;
      }
    }
  }

 private:
  /// Keeps a part of what tells the columns apart.
  template <class M>
  static void share(M& values, double own) {
    using Scalar = typename M::Scalar;
    if (own == 1) return;
    for (Index i = 0; i < values.rows(); ++i) {
      const Scalar common = values.row(i).mean();
      values.row(i) =
          ((values.row(i).array() - common) * static_cast<Scalar>(own) + common).matrix();
    }
  }

  const Pool& pool_;
  Index n_, k_;
  Matrix x_, log_x_, y_;
  Vector mean_, low_, high_;
  VectorD variance_;
  Eigen::RowVectorXf log_mean_;
  std::vector<std::uint32_t> fold_;
  std::optional<FoldedRidge> linear_, log_;
};

AmountFit empty_fit(const Dataset& data) {
  const auto m = static_cast<std::size_t>(data.arms());
  AmountFit fit;
  fit.model.form.assign(m, AmountForm::kUnknown);
  fit.model.weights.assign(m * kDesignDims, 0);
  fit.model.low.assign(m, 0);
  fit.model.high.assign(m, 0);
  fit.out_of_fold = Matrix::Zero(data.rows(), data.arms());
  return fit;
}

}  // namespace

AmountFit fit_amounts(const Dataset& data, const Matrix& values) {
  AmountFit fit = empty_fit(data);
  for (const Pool& pool : find_pools(values)) {
    const PoolAmounts amounts(data, values, pool);
    std::vector<PoolAmounts::Trial> trials = {amounts.means()};
    for (const double alpha : kAlphas)
      for (const AmountForm form : {AmountForm::kLinear, AmountForm::kLog})
        trials.push_back(amounts.attempt(form, alpha, 1));
    std::vector<std::vector<Index>> best_at(trials.size());
    for (Index j = 0; j < static_cast<Index>(pool.arms.size()); ++j) {
      std::size_t best = 0;
      for (std::size_t t = 1; t < trials.size(); ++t)
        if (trials[t].errors(j) < trials[best].errors(j)) best = t;
      best_at[best].push_back(j);
    }
    for (std::size_t t = 0; t < trials.size(); ++t)
      if (!best_at[t].empty()) amounts.write(trials[t], fit, best_at[t]);
  }
  return fit;
}

std::vector<AmountFit> fit_shared_amounts(const Dataset& data, const Matrix& values,
                                          std::span<const double> own) {
  std::vector<AmountFit> fits(own.size(), empty_fit(data));
  for (const Pool& pool : find_pools(values)) {
    const PoolAmounts amounts(data, values, pool);
    for (std::size_t i = 0; i < own.size(); ++i) {
      auto best = amounts.means();
      for (const double alpha : kAlphas)
        if (auto trial = amounts.attempt(AmountForm::kLog, alpha, own[i]); trial.error < best.error)
          best = std::move(trial);
      amounts.write(best, fits[i]);
    }
  }
  return fits;
}

}  // namespace rung::predict
