#include "predict/dataset.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace rung::predict {

std::vector<Pool> find_pools(const Matrix& deviation) {
  std::map<std::vector<bool>, Pool> pools;
  for (Index j = 0; j < deviation.cols(); ++j) {
    std::vector<bool> present(static_cast<std::size_t>(deviation.rows()));
    for (Index i = 0; i < deviation.rows(); ++i)
      present[static_cast<std::size_t>(i)] = !std::isnan(deviation(i, j));
    Pool& pool = pools[present];
    if (pool.arms.empty())
      for (Index i = 0; i < deviation.rows(); ++i)
        if (present[static_cast<std::size_t>(i)]) pool.rows.push_back(i);
    pool.arms.push_back(j);
  }
  std::vector<Pool> result;
  for (auto& [pattern, pool] : pools)
    if (!pool.rows.empty()) result.push_back(std::move(pool));
  return result;
}

std::vector<Pool> comparable_rows(const Matrix& deviation) {
  std::map<std::vector<bool>, Pool> by_pattern;
  for (Index i = 0; i < deviation.rows(); ++i) {
    std::vector<bool> present(static_cast<std::size_t>(deviation.cols()));
    for (Index j = 0; j < deviation.cols(); ++j)
      present[static_cast<std::size_t>(j)] = !std::isnan(deviation(i, j));
    by_pattern[present].rows.push_back(i);
  }
  // A file that is joined to others is a large part of the rows; cells missing at random are not.
  const auto least = static_cast<std::size_t>(deviation.rows()) / 50;
  std::vector<Pool> result;
  Pool rest;
  std::vector<bool> in_rest(static_cast<std::size_t>(deviation.cols()));
  for (auto& [present, pool] : by_pattern) {
    if (pool.rows.size() > least) {
      for (Index j = 0; j < deviation.cols(); ++j)
        if (present[static_cast<std::size_t>(j)]) pool.arms.push_back(j);
      if (!pool.arms.empty()) result.push_back(std::move(pool));
      continue;
    }
    rest.rows.insert(rest.rows.end(), pool.rows.begin(), pool.rows.end());
    for (std::size_t j = 0; j < present.size(); ++j) in_rest[j] = in_rest[j] || present[j];
  }
  std::sort(rest.rows.begin(), rest.rows.end());
  for (std::size_t j = 0; j < in_rest.size(); ++j)
    if (in_rest[j]) rest.arms.push_back(static_cast<Index>(j));
  if (!rest.arms.empty()) result.push_back(std::move(rest));
  return result;
}

Matrix centred(const Matrix& values, const Matrix& deviation) {
  Matrix out = Matrix::Zero(values.rows(), values.cols());
  for (Index i = 0; i < values.rows(); ++i) {
    double sum = 0;
    int n = 0;
    for (Index j = 0; j < values.cols(); ++j)
      if (!std::isnan(deviation(i, j))) sum += values(i, j), ++n;
    if (n < 2) continue;  // a single arm has no differences
    const auto mean = static_cast<float>(sum / n);
    for (Index j = 0; j < values.cols(); ++j)
      if (!std::isnan(deviation(i, j))) out(i, j) = values(i, j) - mean;
  }
  return out;
}

double explained(const Matrix& prediction, const Matrix& target) {
  double pt = 0, pp = 0;
  for (Index i = 0; i < prediction.rows(); ++i) {
    pt += prediction.row(i).cast<double>().dot(target.row(i).cast<double>());
    pp += prediction.row(i).cast<double>().squaredNorm();
  }
  return pt > 0 && pp > 0 ? pt * pt / pp : 0;
}

double noise_of_differences(const Matrix& centred, const Matrix& deviation) {
  double squares = 0;
  Index free = 0;
  for (Index i = 0; i < centred.rows(); ++i) {
    squares += centred.row(i).cast<double>().squaredNorm();
    const Index scored = (!deviation.row(i).array().isNaN()).count();
    free += std::max<Index>(scored - 1, 0);
  }
  return free > 0 ? squares / static_cast<double>(free) : 0;
}

}  // namespace rung::predict
