#include "predict/methods/bradley_terry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace rung::predict {
namespace {

TEST(BradleyTerry, OfTwoIsTheShareOfWins) {
  MatrixD wins = MatrixD::Zero(2, 2);
  wins(0, 1) = 3;
  wins(1, 0) = 1;
  const auto fit = fit_bradley_terry(wins);
  EXPECT_NEAR(beats(fit.xi[0], fit.xi[1]), 0.75, 1e-12);
  EXPECT_NEAR(fit.xi[0] + fit.xi[1], 0, 1e-12);
  EXPECT_NEAR(elo(fit.xi[0]) - elo(fit.xi[1]), 190.848501888, 1e-8);  // 400 log10(3)
  EXPECT_FALSE(fit.regularised);
}

TEST(BradleyTerry, ExpectsAsManyWinsAsThereWere) {
  // At the maximum each item's expected wins equal its wins, whatever the matrix.
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const auto n = static_cast<Index>(2 + rng.below(9));
    MatrixD wins(n, n);
    for (Index i = 0; i < wins.size(); ++i) wins(i) = 0.01 + rng.uniform() * 1000;
    const auto fit = fit_bradley_terry(wins);
    ASSERT_FALSE(fit.regularised);
    for (Index a = 0; a < n; ++a) {
      double had = 0, expected = 0;
      for (Index b = 0; b < n; ++b) {
        if (a == b) continue;
        had += wins(a, b);
        expected += (wins(a, b) + wins(b, a)) *
                    beats(fit.xi[static_cast<std::size_t>(a)], fit.xi[static_cast<std::size_t>(b)]);
      }
      EXPECT_NEAR(expected, had, 1e-7 * had) << "seed " << seed;
    }
  }
}

TEST(BradleyTerry, StaysFiniteWhereOneAlwaysWonAndSaysSo) {
  MatrixD wins = MatrixD::Zero(3, 3);
  wins(0, 1) = 5;
  wins(1, 2) = 2;
  wins(2, 1) = 1;
  const auto fit = fit_bradley_terry(wins);
  EXPECT_TRUE(fit.regularised);
  EXPECT_GT(beats(fit.xi[0], fit.xi[1]), 0.99);
  EXPECT_LT(beats(fit.xi[0], fit.xi[1]), 1);
  EXPECT_NEAR(beats(fit.xi[1], fit.xi[2]), 2.0 / 3, 0.01);  // the ridge is tiny
  MatrixD two = MatrixD::Zero(2, 2);
  two(0, 1) = 1;
  const auto pair = fit_bradley_terry(two);
  EXPECT_NEAR(beats(pair.xi[0], pair.xi[1]), 0.9996, 5e-5);
}

TEST(BradleyTerry, RegularisesOnlyTheComponentThatNeedsIt) {
  MatrixD wins = MatrixD::Zero(5, 5);
  wins(0, 1) = 1;                  // one-sided
  wins(2, 3) = 3, wins(3, 2) = 1;  // fine
  const auto fit = fit_bradley_terry(wins);
  EXPECT_TRUE(fit.regularised);
  EXPECT_NEAR(beats(fit.xi[2], fit.xi[3]), 0.75, 1e-12);
  EXPECT_EQ(fit.component, (std::vector<std::uint32_t>{0, 0, 1, 1, 2}));
  EXPECT_EQ(fit.xi[4], 0);
}

TEST(BradleyTerry, SurvivesAWeightThatIsAlmostZero) {
  MatrixD wins = MatrixD::Zero(2, 2);
  wins(0, 1) = 1;
  wins(1, 0) = 1e-300;
  const auto fit = fit_bradley_terry(wins);
  EXPECT_TRUE(std::isfinite(fit.xi[0]));
  EXPECT_GT(beats(fit.xi[0], fit.xi[1]), 0.999);
}

TEST(BradleyTerry, OfNothingIsNothing) {
  EXPECT_TRUE(fit_bradley_terry(MatrixD()).xi.empty());
  const auto fit = fit_bradley_terry(MatrixD::Zero(1, 1));
  EXPECT_EQ(fit.xi, std::vector<double>{0});
  EXPECT_FALSE(fit.regularised);
}

}  // namespace
}  // namespace rung::predict
