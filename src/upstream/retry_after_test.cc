#include "upstream/retry_after.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace rung::upstream {
namespace {

using std::chrono::milliseconds;
constexpr std::int64_t kNov6 = 784'111'777'000'000;  // Sun, 06 Nov 1994 08:49:37 GMT

std::int64_t wait(std::string_view text, std::string_view exact = "", std::int64_t wall = kNov6) {
  const auto parsed = parse_retry_after(text, exact, wall);
  return parsed ? parsed->count() : -1;
}

TEST(RetryAfter, ReadsSecondsAndTheExactMillisecondsFirst) {
  EXPECT_EQ(wait("7"), 7'000);
  EXPECT_EQ(wait(" 0 "), 0);
  EXPECT_EQ(wait("1.5"), 1'500);
  EXPECT_EQ(wait("7", "250"), 250);
  EXPECT_EQ(wait("", "0.2"), 1);
  EXPECT_EQ(wait("7", "soon"), 7'000);
}

TEST(RetryAfter, ReadsAllThreeFormsOfADate) {
  EXPECT_EQ(wait("Sun, 06 Nov 1994 08:49:47 GMT"), 10'000);
  EXPECT_EQ(wait("Sunday, 06-Nov-94 08:49:47 GMT"), 10'000);
  EXPECT_EQ(wait("Sun Nov  6 08:49:47 1994"), 10'000);
  EXPECT_EQ(wait("Wed Nov 16 08:49:37 1994"), 86'400'000) << "ten days are cut to one";
  EXPECT_EQ(wait("Sun, 06 Nov 1994 08:49:27 GMT"), 0) << "the past";
  EXPECT_EQ(wait("Thu, 29 Feb 2024 00:00:01 GMT", "", 1'709'164'800'500'000), 500);
}

TEST(RetryAfter, IsAbsentWhereItMakesNoSense) {
  for (const char* bad :
       {"", "-1", "soon", "1e3", "7 s", "nan", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "S", ", ", "Sun Nov ",
        "Sun, 06 Nov 1994 08:49:37 GMT and more", "0x10"})
    EXPECT_EQ(wait(bad), -1) << bad;
  EXPECT_EQ(wait("999999999999999999999999"), 86'400'000);
}

TEST(RetryAfter, NeverFailsOnAnyBytes) {
  Rng rng(7);
  const std::string base = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = base.substr(0, rng.below(base.size() + 1));
    for (std::uint64_t n = rng.below(4); n > 0 && !text.empty(); --n)
      text[rng.below(text.size())] = static_cast<char>(rng.below(256));
    if (const auto parsed = parse_retry_after(text, "", kNov6)) {
      EXPECT_GE(parsed->count(), 0);
      EXPECT_LE(parsed->count(), 86'400'000);
    }
  }
}

}  // namespace
}  // namespace rung::upstream
