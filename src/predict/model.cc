#include "predict/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "predict/kernels.h"
#include "predict/tables.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace rung::predict {
namespace {

constexpr auto kDims = kEmbeddingDims;

/// out[columns] += weight * row
inline void add_scaled(const float* row, float weight, float* out, std::size_t columns) {
  for (std::size_t j = 0; j < columns; ++j) out[j] += weight * row[j];
}

std::int32_t dot(const std::int8_t* a, const std::int8_t* b) {
#ifdef __AVX2__
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t j = 0; j < kDims; j += 16) {
    const __m256i x =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + j)));
    const __m256i y =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + j)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
  }
  const __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  const __m128i quarter = _mm_hadd_epi32(half, half);
  return _mm_cvtsi128_si32(_mm_hadd_epi32(quarter, quarter));
#else
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < kDims; ++j) sum += std::int32_t{a[j]} * b[j];
  return sum;
#endif
}

void add_tasks(const ModelView& m, std::span<const float> x, std::span<const float> encoded,
               std::span<float> q, EstimateScratch& s) {
  const std::size_t tasks = m.task_table.size() / m.arms;
  s.task.assign(tasks, 0);
  add_product(m.task_weights, x.first(kQualityDims), s.task);
  if (!m.encoder_task_weights.empty()) add_product(m.encoder_task_weights, encoded, s.task);
  soften(s.task, kTaskSharpness);
  for (std::size_t t = 0; t < tasks; ++t)
    add_scaled(&m.task_table[t * m.arms], s.task[t], q.data(), m.arms);
}

void add_clusters(const ModelView& m, std::span<const float> x, std::span<float> q) {
  const Eigen::Map<const Matrix> centroids(m.centroids.data(),
                                           static_cast<Index>(m.centroids.size() / kDims),
                                           static_cast<Index>(kDims));
  std::array<std::uint32_t, kNearClusters> which;
  std::array<float, kNearClusters> weight;
  near_clusters(x.first(kDims), centroids, which, weight);
  for (std::size_t p = 0; p < kNearClusters; ++p)
    add_scaled(&m.cluster_table[which[p] * m.arms], weight[p], q.data(), m.arms);
}

void add_neighbours(const ModelView& m, std::span<const float> x, std::span<float> q,
                    EstimateScratch& s) {
  const std::size_t n = m.exemplars.size() / kDims;
  alignas(32) std::array<std::int8_t, kDims> query;
  for (std::size_t j = 0; j < kDims; ++j)
    query[j] = static_cast<std::int8_t>(std::lround(127 * std::clamp(x[j], -1.0f, 1.0f)));
  // Cosine and place in one number: the larger is nearer, equal cosines are taken in order, and
  // selection looks at nothing else.
  constexpr std::int64_t kPlaces = std::int64_t{1} << 32;
  s.nearest.resize(n);
  for (std::size_t i = 0; i < n; ++i)
    s.nearest[i] = dot(&m.exemplars[i * kDims], query.data()) * kPlaces +
                   (kPlaces - 1 - static_cast<std::int64_t>(i));
  const std::size_t k = std::min<std::size_t>(m.neighbours.k, n);
  const auto end = s.nearest.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(s.nearest.begin(), end - 1, s.nearest.end(), std::greater<>());
  std::sort(s.nearest.begin(), end, std::greater<>());
  const auto cosine = [&](std::size_t i) { return static_cast<float>(s.nearest[i] >> 32); };
  const auto place = [&](std::size_t i) {
    return static_cast<std::size_t>(kPlaces - 1 - (s.nearest[i] & (kPlaces - 1)));
  };
  const float beta = m.neighbours.beta / (127.0f * 127.0f);
  const float top = cosine(0);
  float sum = 0;
  for (std::size_t i = 0; i < k; ++i) sum += std::exp(beta * (cosine(i) - top));
  const float scale = static_cast<float>(k) / sum;
  s.value.assign(m.arms, 0);
  s.total.assign(m.arms, kNeighbourPseudoCounts);
  for (std::size_t i = 0; i < k; ++i) {
    const float w = scale * std::exp(beta * (cosine(i) - top));
    const float* row = &m.exemplar_deviation[place(i) * m.arms];
    for (std::size_t j = 0; j < m.arms; ++j) {
      if (std::isnan(row[j])) continue;
      s.value[j] += w * row[j];
      s.total[j] += w;
    }
  }
  for (std::size_t j = 0; j < m.arms; ++j) q[j] += s.value[j] / s.total[j];
}

/// Moves all arms together so that the best stays within [0, 1] and, if it can, the worst too:
/// clipping each alone would make arms equal that are not.
void bound(std::span<float> q) {
  const auto [low, high] = std::minmax_element(q.begin(), q.end());
  const float shift = *high > 1 ? 1 - *high : *low < 0 ? std::min(-*low, 1 - *high) : 0;
  for (float& value : q) value = std::clamp(value + shift, 0.0f, 1.0f);
}

float leverage(std::span<const float> covariance, std::span<const float> x) {
  constexpr auto kSide = static_cast<Index>(kQualityDims);
  const Eigen::Map<const Matrix> c(covariance.data(), kSide, kSide);
  const Eigen::Map<const Vector> v(x.data(), kSide);
  float total = 0;
  // The matrix is symmetric: what is below the diagonal counts twice, and half of it is read.
  for (Index a = 0; a < kSide; ++a)
    total += v(a) * (2 * c.row(a).head(a).dot(v.head(a)) + c(a, a) * v(a));
  return std::max(total, 0.0f);
}

}  // namespace

namespace {

/// Adds to every arm a part of what all are moved by on average; pruned ones are not moved yet.
void move_together(const ModelView& m, std::span<float> q) {
  float sum = 0;
  for (std::size_t j = 0; j < m.arms; ++j) sum += q[j] - m.base[j];
  const float by = m.common * sum / static_cast<float>(m.arms - m.pruned.size());
  for (float& value : q) value += by;
}

}  // namespace

ModelView Model::view() const {
  const auto bytes = [](const std::vector<AmountForm>& form) {
    return std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(form.data()),
                                         form.size());
  };
  ModelView v;
  v.arms = arms.size();
  v.embedding = embedding.view();
  v.base = base;
  v.linear = linear;
  v.encoder_linear = encoder_linear;
  v.encoder_task_weights = encoder_task_weights;
  v.task_weights = task_weights;
  v.task_table = task_table;
  v.centroids = centroids;
  v.cluster_table = cluster_table;
  v.exemplars = exemplars;
  v.exemplar_deviation = exemplar_deviation;
  v.neighbours = neighbours;
  v.pruned = pruned;
  v.cost_weights = cost.weights, v.cost_low = cost.low, v.cost_high = cost.high,
  v.cost_form = bytes(cost.form);
  v.token_weights = tokens.weights, v.token_low = tokens.low, v.token_high = tokens.high,
  v.token_form = bytes(tokens.form);
  v.se_floor = se_floor;
  v.noise = noise;
  v.covariance = covariance;
  v.common = common;
  return v;
}

void estimate_arms(const ModelView& m, std::span<const float> x,
                   std::span<const std::uint32_t> wanted, std::span<Estimate> out,
                   EstimateScratch& s, std::span<const float> encoded) {
  thread_local std::vector<float> q;
  q.assign(m.base.begin(), m.base.end());
  // 1. The members, each a sum of table rows.
  if (!m.linear.empty()) add_product(m.linear, x.first(kQualityDims), q);
  if (!m.encoder_linear.empty()) add_product(m.encoder_linear, encoded, q);
  if (!m.task_table.empty()) add_tasks(m, x, encoded, q, s);
  if (!m.centroids.empty()) add_clusters(m, x, q);
  if (!m.exemplars.empty()) add_neighbours(m, x, q, s);
  if (m.common != 0) move_together(m, q);
  // 2. Pruned arms follow their neighbours on the frontier.
  for (const PrunedArm& p : m.pruned)
    q[p.arm] = (1 - p.weight) * q[p.low] + p.weight * q[p.high] - p.gap;
  bound(q);
  // 3. Doubt, money, tokens.
  const float spread = m.covariance.empty() ? 0 : leverage(m.covariance, x);
  const auto fill = [&](std::size_t j) {
    Estimate& e = out[j];
    e = {};
    e.quality = q[j];
    e.quality_se = std::sqrt(m.se_floor[j] * m.se_floor[j] + m.noise[j] * m.noise[j] * spread);
    if (const auto form = static_cast<AmountForm>(m.cost_form[j]); form != AmountForm::kUnknown) {
      e.has_cost = true;
      e.cost_usd = amount(form, m.cost_weights.subspan(j * kDesignDims, kDesignDims), m.cost_low[j],
                          m.cost_high[j], x);
    }
    if (const auto form = static_cast<AmountForm>(m.token_form[j]); form != AmountForm::kUnknown) {
      e.has_tokens = true;
      e.completion_tokens = amount(form, m.token_weights.subspan(j * kDesignDims, kDesignDims),
                                   m.token_low[j], m.token_high[j], x);
    }
  };
  if (wanted.empty()) {
    for (std::size_t j = 0; j < m.arms; ++j) fill(j);
  } else {
    for (const std::uint32_t j : wanted) fill(j);
  }
}

}  // namespace rung::predict
