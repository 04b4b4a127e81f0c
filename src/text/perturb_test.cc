#include "text/perturb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace rung::text {
namespace {

constexpr std::string_view kQuestion =
    "Which planet of the following is the largest one?\nA. Mars\nB. Jupiter\nC. Venus\nAnswer:";

TEST(Perturb, IsRepeatableChangesTheTextAndTakesAnyBytes) {
  for (const Perturbation kind : kPerturbations) {
    SCOPED_TRACE(name(kind));
    EXPECT_EQ(perturb(kQuestion, kind, 1), perturb(kQuestion, kind, 1));
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 20; ++seed) seen.insert(perturb(kQuestion, kind, seed));
    EXPECT_FALSE(seen.contains(std::string(kQuestion)));
    EXPECT_GE(seen.size(), 2u);
    for (const std::string_view odd : {"", "\n", "\xff\xfe", "A. ", "(A", "AB", "(A) x", "x"})
      for (std::uint64_t seed = 0; seed < 50; ++seed) perturb(odd, kind, seed);
  }
}

TEST(Perturb, CaseAloneChangesUnderCase) {
  std::string lowered = perturb("Grüße, World 5", Perturbation::kCase, 3);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  EXPECT_EQ(lowered, "grüße, world 5");
}

TEST(Perturb, TyposSpareShortWordsNumbersAndCode) {
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_EQ(perturb("if x_value == 1234 or foo(bar)+baz2: is it a", Perturbation::kTypos, seed),
              "if x_value == 1234 or foo(bar)+baz2: is it a");
  const std::string typed = perturb("hello", Perturbation::kTypos, 1);
  EXPECT_EQ(typed.front(), 'h');
}

TEST(Perturb, WhiteSpaceKeepsEveryOtherByteAndIndentation) {
  const std::string code = "def f():\n    return 1 + 2\n";
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::string out = perturb(code, Perturbation::kWhiteSpace, seed);
    EXPECT_NE(out.find("\n    return"), std::string::npos);
    std::erase_if(out, [](char c) { return c <= ' '; });
    EXPECT_EQ(out, "deff():return1+2");
  }
}

TEST(Perturb, FillerAndParaphraseHoldTheWholeText) {
  for (const Perturbation kind : {Perturbation::kFiller, Perturbation::kParaphrase})
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      EXPECT_NE(perturb(kQuestion, kind, seed).find(kQuestion), std::string::npos);
}

TEST(Perturb, OptionsMoveUnderTheSameLetters) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    seen.insert(perturb(kQuestion, Perturbation::kOptions, seed));
  EXPECT_EQ(seen.size(), 5u);  // all orders of three but the one it had
  EXPECT_TRUE(seen.contains(
      "Which planet of the following is the largest one?\nA. Jupiter\nB. Venus\nC. Mars\nAnswer:"));
  // The last question alone, in the other form; no options, no change.
  EXPECT_EQ(perturb("(A) one\n(B) two\n\nNow:\n(A) three\n(B) four", Perturbation::kOptions, 7),
            "(A) one\n(B) two\n\nNow:\n(A) four\n(B) three");
  EXPECT_EQ(perturb("A. Smith wrote it.\nWho?", Perturbation::kOptions, 7),
            "A. Smith wrote it.\nWho?");
}

}  // namespace
}  // namespace rung::text
