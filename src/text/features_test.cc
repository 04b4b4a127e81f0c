#include "text/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "text/tokens.h"
#include "text/unicode.h"

namespace rung::text {
namespace {

Features read(std::string_view text) {
  FeatureReader reader;
  Features out;
  reader.read(text, out);
  return out;
}

float surface(const Features& features, std::string_view name) {
  const auto names = surface_names();
  const auto at = std::find(names.begin(), names.end(), name);
  EXPECT_NE(at, names.end()) << name;
  return features.surface[static_cast<std::size_t>(at - names.begin())];
}

std::size_t words(const Features& features) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < features.buckets.size(); ++i)
    if (features.buckets[i] < kBlockBuckets) total += features.counts[i];
  return total;
}

std::map<int, int> bag(const Features& features) {
  std::map<int, int> out;
  for (std::size_t i = 0; i < features.buckets.size(); ++i)
    out[features.buckets[i]] = features.counts[i];
  return out;
}

TEST(Features, AnEmptyTextHasNoGramsAndNoTokens) {
  const Features features = read("");
  EXPECT_TRUE(features.buckets.empty());
  EXPECT_EQ(features.prompt_tokens, 0);
  for (float value : features.surface) EXPECT_TRUE(std::isfinite(value));
}

TEST(Features, CountWordsAndWordPairs) {
  EXPECT_EQ(words(read("one two three")), 5u);  // three words, two pairs
  EXPECT_EQ(words(read("one")), 1u);
  EXPECT_EQ(words(read("...")), 0u);
}

TEST(Features, CountEveryCharacterGramOfAToken) {
  const Features features = read("abc");  // " abc ": 3 of three, 2 of four, 1 of five
  std::size_t total = 0;
  for (std::size_t i = 0; i < features.buckets.size(); ++i)
    if (features.buckets[i] >= kBlockBuckets) total += features.counts[i];
  EXPECT_EQ(total, 6u);
}

TEST(Features, FoldCaseAlsoBeyondAscii) {
  EXPECT_EQ(bag(read("HELLO ÄRGER ПРИВЕТ ΑΒΓ")), bag(read("hello ärger привет αβγ")));
}

TEST(Features, TakeEveryIdeographAsAWord) { EXPECT_EQ(words(read("你好世界")), 7u); }

TEST(Features, AcceptAnyBytes) {
  FeatureReader reader;
  Features out;
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; b += 5) {
      const char text[] = {static_cast<char>(a), static_cast<char>(b), 'x'};
      reader.read({text, 3}, out);
      ASSERT_FALSE(out.buckets.empty());
      for (float value : out.surface) ASSERT_TRUE(std::isfinite(value));
    }
}

TEST(Features, LeaveNothingBehindForTheNextText) {
  FeatureReader reader;
  Features out;
  reader.read("the quick brown fox", out);
  const auto first = bag(out);
  reader.read(std::string(50'000, 'z') + " and more", out);
  reader.read("the quick brown fox", out);
  EXPECT_EQ(bag(out), first);
}

TEST(Features, OfALongTextComeFromItsTwoEnds) {
  std::string head(kHeadBytes, 'a'), tail(kTailBytes, 'b');
  const std::string middle_x(100'000, 'x'), middle_y(100'000, 'y');
  EXPECT_EQ(bag(read(head + middle_x + tail)), bag(read(head + middle_y + tail)));
  EXPECT_NE(bag(read(head + middle_x + tail)), bag(read(middle_x + head + tail)));
}

TEST(Features, CutALongTextBetweenSigns) {
  std::string text;
  while (text.size() < 3 * kHeadBytes) text += "日本";
  for (const auto& [b, count] : bag(read(text))) EXPECT_GT(count, 0);
  // Whole signs only: a stray byte would bring new words and grams.
  EXPECT_LE(read(text).buckets.size(), 32u);
}

TEST(Features, SeeOptionsCodeAndQuestions) {
  const Features options = read("Pick one:\nA. red\nB. blue\n(C) green");
  EXPECT_FLOAT_EQ(surface(options, "options"), std::log1p(3.0f));
  EXPECT_GT(surface(read("def f(x): return x"), "code_words"), 0);
  EXPECT_EQ(surface(read("What is it?"), "question_first"), 1);
  EXPECT_EQ(surface(read("Say what it is."), "question_first"), 0);
}

TEST(Features, AreTheSameOnEveryMachine) {
  // A change of these numbers is a change of the artefact format: raise kFeatureVersion.
  const Features features = read("Rung puts every request on the lowest rung, naïvely: 你.");
  std::uint64_t signature = 0;
  for (std::size_t i = 0; i < features.buckets.size(); ++i)
    signature = signature * 1'000'003 + features.buckets[i] * 31u + features.counts[i];
  EXPECT_EQ(signature, 5418128947615460445u) << "feature version " << kFeatureVersion;
}

TEST(Tokens, GrowWithTheText) {
  ByteHistogram bytes;
  count_bytes("The quick brown fox jumps over the lazy dog.", bytes);
  EXPECT_NEAR(estimate_tokens(bytes), 10, 2);
  count_bytes("你好世界", bytes);
  EXPECT_NEAR(estimate_tokens(bytes), 3, 1);
  count_bytes("1234567890", bytes);
  EXPECT_NEAR(estimate_tokens(bytes), 4, 1);
}

TEST(Tokens, CountBytesAtEveryLength) {
  for (std::size_t n : {0u, 1u, 3u, 4u, 5u, 1000u}) {
    ByteHistogram bytes;
    count_bytes(std::string(n, 'q'), bytes);
    EXPECT_EQ(bytes['q'], n);
  }
}

TEST(Unicode, RefusesOverlongAndSurrogateForms) {
  for (std::string_view text : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    std::size_t at = 0;
    EXPECT_GE(next_sign(text, at), 0xDC80u);
    EXPECT_EQ(at, 1u);
  }
}

}  // namespace
}  // namespace rung::text
