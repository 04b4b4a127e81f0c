#include "predict/costs.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

AmountModel fit_amounts(const Dataset& data, const Matrix& values, Matrix& out_of_fold) {
  const auto m = static_cast<std::size_t>(data.arms());
  AmountModel model;
  model.form.assign(m, AmountForm::kUnknown);
  model.weights.assign(m * kDesignDims, 0);
  model.low.assign(m, 0);
  model.high.assign(m, 0);
  out_of_fold = Matrix::Zero(data.rows(), data.arms());
  for (const Pool& pool : find_pools(values)) {
    const auto n = static_cast<Index>(pool.rows.size()), k = static_cast<Index>(pool.arms.size());
    const Matrix x = cost_design(data.x, pool.rows);
    std::vector<std::uint32_t> fold;
    for (const Index i : pool.rows) fold.push_back(data.fold[static_cast<std::size_t>(i)]);
    Matrix y(n, k), logs(n, k);
    Vector mean(k), low(k), high(k);
    for (Index j = 0; j < k; ++j) {
      for (Index i = 0; i < n; ++i)
        y(i, j) =
            values(pool.rows[static_cast<std::size_t>(i)], pool.arms[static_cast<std::size_t>(j)]);
      mean(j) = static_cast<float>(y.col(j).cast<double>().mean());
      high(j) = y.col(j).maxCoeff();
      // An amount of 0 (a refused answer) has no logarithm: a hundredth of the mean stands for it.
      const float floor = std::max(mean(j) * 0.01f, std::numeric_limits<float>::min());
      low(j) = std::max(y.col(j).minCoeff(), floor);
      high(j) = std::max(high(j), low(j));
      for (Index i = 0; i < n; ++i) logs(i, j) = std::log(std::max(y(i, j), floor));
    }
    const FoldedRidge linear(x, static_cast<Index>(kDesignDims), y, fold, data.folds);
    // The logarithm has no use for the length itself: its last two columns are log length (a
    // surface count) and 1.
    Matrix log_x = x;
    log_x.col(static_cast<Index>(kQualityDims) - 1).setZero();
    const FoldedRidge log(log_x, static_cast<Index>(kDesignDims), logs, fold, data.folds);
    std::vector<double> best(static_cast<std::size_t>(k));
    std::vector<double> alpha(static_cast<std::size_t>(k));
    std::vector<float> correction(static_cast<std::size_t>(k), 1);
    for (Index j = 0; j < k; ++j) {
      const auto arm = static_cast<std::size_t>(pool.arms[static_cast<std::size_t>(j)]);
      best[static_cast<std::size_t>(j)] =
          (y.col(j).array() - mean(j)).square().cast<double>().sum();
      model.form[arm] = AmountForm::kMean;
      for (Index i = 0; i < n; ++i)
        out_of_fold(pool.rows[static_cast<std::size_t>(i)],
                    pool.arms[static_cast<std::size_t>(j)]) = mean(j);
    }
    const auto consider = [&](AmountForm form, double a, const Matrix& prediction) {
      for (Index j = 0; j < k; ++j) {
        const auto pj = static_cast<std::size_t>(j);
        const auto arm = pool.arms[pj];
        Vector amounts = prediction.col(j);
        float scale = 1;
        if (form == AmountForm::kLog) {
          amounts = amounts.array().min(60.0f).exp().matrix();
          scale = static_cast<float>(y.col(j).cast<double>().sum() /
                                     std::max(1e-30, amounts.cast<double>().sum()));
          amounts *= scale;
        }
        amounts = amounts.array().max(low(j)).min(high(j)).matrix();
        const double error = (amounts - y.col(j)).cast<double>().squaredNorm();
        if (error >= best[pj]) continue;
        best[pj] = error;
        alpha[pj] = a;
        correction[pj] = scale;
        model.form[static_cast<std::size_t>(arm)] = form;
        for (Index i = 0; i < n; ++i)
          out_of_fold(pool.rows[static_cast<std::size_t>(i)], arm) = amounts(i);
      }
    };
    for (const double a : kAlphas) {
      consider(AmountForm::kLinear, a, linear.out_of_fold(a, x, fold));
      consider(AmountForm::kLog, a, log.out_of_fold(a, log_x, fold));
    }
    for (const double a : kAlphas) {
      const MatrixD linear_weights = linear.solve_all(a), log_weights = log.solve_all(a);
      for (Index j = 0; j < k; ++j) {
        const auto pj = static_cast<std::size_t>(j);
        const auto arm = static_cast<std::size_t>(pool.arms[pj]);
        model.low[arm] = low(j);
        model.high[arm] = high(j);
        const AmountForm form = model.form[arm];
        float* w = &model.weights[arm * kDesignDims];
        if (form == AmountForm::kMean) {
          w[kQualityDims - 1] = mean(j);
        } else if (alpha[pj] == a) {
          const MatrixD& from = form == AmountForm::kLog ? log_weights : linear_weights;
          for (std::size_t d = 0; d < kDesignDims; ++d)
            w[d] = static_cast<float>(from(static_cast<Index>(d), j));
          std::swap(w[kQualityDims - 1],
                    w[kDesignDims - 1]);  // back to the order of the design vector
          if (form == AmountForm::kLog) w[kQualityDims - 1] += std::log(correction[pj]);
          if (form == AmountForm::kLog) w[kDesignDims - 1] = 0;
        }
      }
    }
  }
  return model;
}

}  // namespace rung::predict
