#include "outcomes/risk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "base/random.h"

namespace rung::outcomes {
namespace {

TEST(ClopperPearson, IsTheClosedFormWithoutFailures) {
  EXPECT_NEAR(clopper_pearson_upper(0, 10, 0.95), 1 - std::pow(0.05, 0.1), 1e-12);
  EXPECT_NEAR(clopper_pearson_upper(0, 1000, 0.99), 1 - std::pow(0.01, 0.001), 1e-12);
  EXPECT_DOUBLE_EQ(clopper_pearson_upper(7, 7, 0.95), 1);
  EXPECT_NEAR(clopper_pearson_upper(6, 7, 0.95), std::pow(0.95, 1.0 / 7), 1e-12);
}

TEST(ClopperPearson, LeavesTheStatedChanceInTheLowerTail) {
  for (const std::size_t n : {5u, 40u, 300u}) {
    for (std::size_t k = 0; k < n; k += 1 + n / 7) {
      const double p = clopper_pearson_upper(k, n, 0.9);
      double tail = 0, term = std::pow(1 - p, static_cast<double>(n));
      for (std::size_t i = 0; i <= k; ++i) {
        tail += term;
        term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * p / (1 - p);
      }
      if (std::pow(1 - p, static_cast<double>(n)) > 1e-290) {
        EXPECT_NEAR(tail, 0.1, 1e-9);
      }
      EXPECT_GT(p, static_cast<double>(k) / static_cast<double>(n));
    }
  }
  EXPECT_LT(clopper_pearson_upper(5000, 100000, 0.95), 0.0512);
}

TEST(RowsNeeded, AreTheFewestForWhichTheBoundHolds) {
  for (const double bound : {0.01, 0.05, 0.2, 0.5}) {
    for (const double confidence : {0.8, 0.95, 0.99}) {
      const std::size_t n = rows_for_clopper_pearson(bound, confidence);
      EXPECT_LE(clopper_pearson_upper(0, n, confidence), bound + 1e-12);
      if (n > 1) {
        EXPECT_GT(clopper_pearson_upper(0, n - 1, confidence), bound);
      }
    }
    const auto n = static_cast<double>(rows_for_conformal(bound));
    EXPECT_LE(1 / (n + 1), bound + 1e-12);
    EXPECT_GT(1 / n, bound - 1e-12);
  }
  EXPECT_EQ(rows_for_clopper_pearson(0.05, 0.95), 59u);
  EXPECT_EQ(rows_for_conformal(0.05), 19u);
}

// A population whose weak arm fails more often the higher the score.
struct Population {
  std::vector<double> score, weak, none;
  RiskRows rows() const { return {score, weak, none}; }
  double risk(double tau) const {
    double sum = 0;
    for (std::size_t i = 0; i < score.size(); ++i) sum += score[i] < tau ? weak[i] : 0;
    return sum / static_cast<double>(score.size());
  }
};

Population population(std::size_t n, bool graded, std::uint64_t seed) {
  Population p;
  Rng rng(seed);
  for (std::size_t i = 0; i < n; ++i) {
    p.score.push_back(rng.uniform());
    const bool fails = rng.uniform() < 0.5 * p.score.back();
    p.weak.push_back(fails ? (graded ? rng.uniform() : 1) : 0);
    p.none.push_back(0);
  }
  return p;
}

// Draws `n` rows to calibrate with; the others are the test.
std::pair<Population, Population> part(const Population& all, std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> order(all.score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng(seed);
  rng.shuffle(std::span(order));
  std::pair<Population, Population> out;
  for (std::size_t i = 0; i < order.size(); ++i) {
    Population& side = i < n ? out.first : out.second;
    side.score.push_back(all.score[order[i]]);
    side.weak.push_back(all.weak[order[i]]);
    side.none.push_back(0);
  }
  return out;
}

constexpr std::size_t kResamples = 1000;

TEST(ClopperPearsonThreshold, IsViolatedInNoMoreResamplesThanStated) {
  constexpr double kBound = 0.05, kDelta = 0.05;
  const Population all = population(20000, false, 11);
  std::vector<int> violated(kResamples), naive(kResamples);
  parallel_for(kResamples, [&](std::size_t i) {
    const auto [calibration, test] = part(all, 500, 100 + i);
    const auto got = clopper_pearson_threshold(calibration.rows(), kBound, 1 - kDelta);
    violated[i] = got && test.risk(got->tau) > kBound ? 1 : 0;
    // What choosing by the observed risk alone would do.
    double tau = 0;
    for (double t = 0; t <= 1; t += 0.01)
      if (calibration.risk(t) <= kBound) tau = t;
    naive[i] = test.risk(tau) > kBound ? 1 : 0;
  });
  const int count = std::accumulate(violated.begin(), violated.end(), 0);
  EXPECT_LE(count, static_cast<int>(kDelta * kResamples));
  EXPECT_GT(count, 0) << "so careful that it proves nothing";
  EXPECT_GT(std::accumulate(naive.begin(), naive.end(), 0), 300);
}

TEST(ConformalThreshold, KeepsTheMeanLossOverResamplesWithinTheBound) {
  constexpr double kBound = 0.05;
  const Population all = population(20000, true, 13);
  std::vector<double> losses(kResamples);
  parallel_for(kResamples, [&](std::size_t i) {
    const auto [calibration, test] = part(all, 300, 100 + i);
    const auto got = conformal_threshold(calibration.rows(), kBound);
    losses[i] = got ? test.risk(got->tau) : 0;
  });
  const double mean = std::accumulate(losses.begin(), losses.end(), 0.0) / kResamples;
  EXPECT_LE(mean, kBound);
  EXPECT_GT(mean, 0.9 * kBound) << "so careful that it wastes money";
}

TEST(RiskThreshold, SaysWhatItDoesOnItsRows) {
  const Population all = population(2000, false, 17);
  const auto got = clopper_pearson_threshold(all.rows(), 0.1, 0.95);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_NEAR(got->observed, all.risk(got->tau), 1e-12);
  EXPECT_LE(got->upper, 0.1);
  EXPECT_GT(got->upper, got->observed);
  EXPECT_EQ(got->rows, 2000u);
  const auto strong =
      std::count_if(all.score.begin(), all.score.end(), [&](double s) { return s >= got->tau; });
  EXPECT_NEAR(got->strong_share, static_cast<double>(strong) / 2000, 1e-12);
  const auto stricter = clopper_pearson_threshold(all.rows(), 0.05, 0.95);
  EXPECT_LT(stricter->tau, got->tau);
  EXPECT_LT(clopper_pearson_threshold(all.rows(), 0.1, 0.999)->tau, got->tau);
}

TEST(RiskThreshold, SendsAllWeakWhereWeakNeverFails) {
  Population p = population(100, false, 19);
  std::fill(p.weak.begin(), p.weak.end(), 0.0);
  EXPECT_DOUBLE_EQ(clopper_pearson_threshold(p.rows(), 0.05, 0.95)->tau, 1);
  EXPECT_DOUBLE_EQ(conformal_threshold(p.rows(), 0.05)->strong_share, 0);
}

TEST(RiskThreshold, CountsTheWorseArmWhereStrongFailsAndWeakDoesNot) {
  // Were the weak arm's success counted, going weak would make the risk fall and the proof void.
  const std::vector<double> score{.1, .2, .3, .4}, weak{0, 0, 0, 0}, strong{1, 0, 1, 0};
  const auto got = conformal_threshold({score, weak, strong}, 0.7);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_NEAR(got->observed, 0.5, 1e-12);
}

TEST(RiskThreshold, RefusesWithTooFewRowsAndSaysHowManyAreNeeded) {
  const Population few = population(40, false, 23);
  const auto refused = clopper_pearson_threshold(few.rows(), 0.05, 0.95);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInfeasible);
  EXPECT_NE(refused.error().message.find("at least 59"), std::string::npos);
  const Population fewer = population(15, false, 23);
  EXPECT_NE(conformal_threshold(fewer.rows(), 0.05).error().message.find("at least 19"),
            std::string::npos);
}

TEST(RiskThreshold, RefusesARiskThatTheStrongArmAloneBreaksAndSaysWhatWasSeen) {
  Population p = population(1000, false, 29);
  std::vector<double> strong(1000, 0.0);
  std::fill(strong.begin(), strong.begin() + 200, 1.0);
  auto refused = clopper_pearson_threshold({p.score, p.weak, strong}, 0.1, 0.95);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInfeasible);
  EXPECT_NE(refused.error().message.find("is 0.2 on 1000 rows"), std::string::npos);
  EXPECT_NE(refused.error().message.find("11.1 %"), std::string::npos) << "(0.2 - 0.1) / (1 - 0.1)";
  refused = conformal_threshold({p.score, p.weak, strong}, 0.1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("more rows would not help"), std::string::npos);
}

TEST(RiskThreshold, RefusesARiskTooNearToTheBoundAndItsCountOfRowsWouldDo) {
  const std::size_t n = 100;
  Population p = population(n, false, 31);
  std::vector<double> strong(n, 0.0);
  std::fill(strong.begin(), strong.begin() + 8, 1.0);
  const auto refused = clopper_pearson_threshold({p.score, p.weak, strong}, 0.1, 0.95);
  ASSERT_FALSE(refused);
  const std::string& message = refused.error().message;
  const std::size_t at = message.find("about ");
  ASSERT_NE(at, std::string::npos) << message;
  const std::size_t rows = std::stoul(message.substr(at + 6));
  EXPECT_GT(rows, n);
  EXPECT_LE(clopper_pearson_upper(
                static_cast<std::size_t>(std::ceil(0.08 * static_cast<double>(rows))), rows, 0.95),
            0.1);
}

TEST(RiskThreshold, RefusesWhatIsOutOfRange) {
  Population p = population(100, true, 37);
  EXPECT_EQ(clopper_pearson_threshold(p.rows(), 0.1, 0.95).error().code, ErrorCode::kInvalidData)
      << "graded losses";
  EXPECT_EQ(conformal_threshold(p.rows(), 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(clopper_pearson_threshold(p.rows(), 0.1, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(conformal_threshold({}, 0.1).error().code, ErrorCode::kInvalidArgument);
  p.score[4] = 1.5;
  EXPECT_NE(conformal_threshold(p.rows(), 0.1).error().message.find("row 4"), std::string::npos);
}

TEST(Regret, IsWhereStrongWouldHaveScoredMore) {
  const std::vector<double> weak{0, 1, 0.5, 0.2}, strong{1, 0, 0.5, 0.6};
  EXPECT_EQ(regret_events(weak, strong), (std::vector<double>{1, 0, 0, 1}));
  EXPECT_NEAR(regret_amounts(weak, strong)[3], 0.4, 1e-12);
  EXPECT_DOUBLE_EQ(regret_amounts(weak, strong)[1], 0);
}

}  // namespace
}  // namespace rung::outcomes
