#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/random.h"
#include "text/features.h"

namespace rung::text {
namespace {

Features features(std::string_view text) {
  Extractor extractor;
  Features out;
  extractor.extract(text, out);
  return out;
}

TEST(Extractor, CountsEachWordAndPairOnce) {
  const Features f = features("the cat the dog");
  // the, cat, dog; the-cat, cat-the, the-dog.
  EXPECT_EQ(f.words.size(), 6u);
  EXPECT_FLOAT_EQ(f.words[0].weight, 1 + std::log(2.0f));
  std::set<std::uint32_t> buckets;
  for (const Ngram& g : f.words) {
    EXPECT_LT(g.bucket, kWordBuckets);
    EXPECT_TRUE(buckets.insert(g.bucket).second);
  }
}

TEST(Extractor, PadsWordsForTheirCharacters) {
  // " a ", then " ab", "ab ", " ab ".
  EXPECT_EQ(features("a").chars.size(), 1u);
  EXPECT_EQ(features("ab").chars.size(), 3u);
  for (const Ngram& g : features("hello, world").chars) {
    EXPECT_GE(g.bucket, kWordBuckets);
    EXPECT_LT(g.bucket, kBuckets);
  }
}

TEST(Extractor, FoldsCaseAndWhiteSpaceInNgramsOnly) {
  const Features a = features("Hello  World"), b = features("hello world");
  ASSERT_EQ(a.words.size(), b.words.size());
  for (std::size_t i = 0; i < a.words.size(); ++i) EXPECT_EQ(a.words[i].bucket, b.words[i].bucket);
  ASSERT_EQ(a.chars.size(), b.chars.size());
  for (std::size_t i = 0; i < a.chars.size(); ++i) EXPECT_EQ(a.chars[i].bucket, b.chars[i].bucket);
  EXPECT_NE(a.surface, b.surface);
}

TEST(Extractor, GivesTheSameForTheSameTextWhateverCameBefore) {
  Extractor used;
  Features out;
  used.extract("something else entirely, 123 \xff\xfe", out);
  used.extract("How many primes are below 100?", out);
  const Features fresh = features("How many primes are below 100?");
  ASSERT_EQ(out.words.size(), fresh.words.size());
  for (std::size_t i = 0; i < out.words.size(); ++i)
    EXPECT_EQ(out.words[i].weight, fresh.words[i].weight);
  EXPECT_EQ(out.surface, fresh.surface);
}

TEST(Extractor, TakesAnyBytes) {
  Rng rng(11);
  Extractor extractor;
  Features out;
  for (int i = 0; i < 500; ++i) {
    std::string bytes(rng.below(300), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.below(256));
    extractor.extract(bytes, out);
    for (const float v : out.surface) ASSERT_TRUE(std::isfinite(v));
  }
  extractor.extract("", out);
  EXPECT_TRUE(out.words.empty() && out.chars.empty());
}

TEST(Extractor, LongTextsAreReadAtBothEnds) {
  const std::string middle(1 << 20, 'x');
  const Features a = features("alpha " + middle + " omega"),
                 b = features("alpha " + middle + " theta");
  EXPECT_NE(a.words.back().bucket, b.words.back().bucket);
  EXPECT_EQ(a.words.front().bucket, b.words.front().bucket);
  EXPECT_GT(a.surface[0], std::log(1e6));
}

TEST(Extractor, SeesOptionsNumbersAndQuestionWords) {
  const Features f = features("Which is 12345?\nA. one\nB. two\n(c) three\n1) four\n- five");
  EXPECT_FLOAT_EQ(f.surface[3], std::log1p(3.0f));   // options
  EXPECT_FLOAT_EQ(f.surface[4], std::log1p(2.0f));   // list lines
  EXPECT_FLOAT_EQ(f.surface[7], std::log1p(5.0f));   // longest number
  EXPECT_FLOAT_EQ(f.surface[37], std::log1p(1.0f));  // which
}

TEST(EstimateTokens, IsAQuarterOfTheCharacters) {
  EXPECT_EQ(estimate_tokens(""), 0u);
  EXPECT_EQ(estimate_tokens("abcde"), 2u);
  EXPECT_EQ(estimate_tokens("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), 1u);
}

}  // namespace
}  // namespace rung::text
