#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/random.h"
#include "json/write.h"
#include "reproduce/measures.h"
#include "reproduce/page.h"

namespace rung::reproduce {
namespace {

namespace fs = std::filesystem;

// A fresh folder of this test.
fs::path folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  fs::path path = fs::path(testing::TempDir()) / (std::string("reproduce_") + test->name());
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

// Two kinds of prompts; the small arm knows one of them, the large one both.
std::string outcomes_of(std::size_t rows, const std::string& large) {
  Rng rng(5);
  std::string out;
  for (std::size_t i = 0; i < rows; ++i) {
    const bool numbers = rng.below(4) == 1;
    std::string prompt = numbers ? "Compute" : "Describe";
    for (int w = 0; w < 9; ++w) {
      prompt += ' ';
      for (int c = 0; c < 3; ++c)
        prompt += static_cast<char>((numbers ? 'a' : 'n') + static_cast<int>(rng.below(13)));
    }
    json::Writer w;
    w.begin_object().key("id").string("q" + std::to_string(i)).key("prompt").string(prompt);
    w.key("category").string(numbers ? "numbers" : "words").key("models").begin_object();
    for (const bool is_large : {false, true}) {
      const double p = is_large ? 0.9 : numbers ? 0.1 : 0.93;
      w.key(is_large ? large : "small").begin_object();
      w.key("score").number(rng.uniform() < p ? 1 : 0).key("cost").number(is_large ? 0.01 : 0.001);
      w.key("prompt_tokens").number(10).key("completion_tokens").number(100).end_object();
    }
    w.end_object().end_object();
    out += w.take() + "\n";
  }
  return out;
}

// Ten equal answers of each question: wrong on every second one, where the other model is right.
std::string samples_of(std::size_t rows) {
  std::string out;
  for (std::size_t i = 0; i < rows; ++i) {
    out += "{\"id\":\"s" + std::to_string(i) + "\",\"models\":{\"small:a\":[";
    for (int k = 0; k < 10; ++k)
      out += std::string(k ? "," : "") +
             "{\"answer\":\"7\",\"correct\":" + (i % 2 ? "true" : "false") + "}";
    out += "],\"big\":[{\"answer\":\"8\",\"correct\":true}]}}\n";
  }
  return out;
}

Options quick() { return {.fraction = 0.3, .seed = 1, .bootstrap = 20}; }

const Row& row_of(const std::vector<Row>& rows, std::string_view id) {
  for (const Row& row : rows) {
    if (row.claim->id == id) return row;
  }
  ADD_FAILURE() << "no claim " << id;
  return rows.front();
}

TEST(Claims, EachHasANameASourceANumberAndHowItWasChecked) {
  std::set<std::string_view> words, ids;
  for (const auto& [word, meaning] : checked_words()) words.insert(word);
  for (const Claim& claim : claims()) {
    EXPECT_TRUE(ids.insert(claim.id).second) << claim.id << " is there twice";
    EXPECT_EQ(claim.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string_view::npos)
        << claim.id;
    for (const std::string_view text : {claim.claim, claim.published, claim.source})
      EXPECT_FALSE(text.empty()) << claim.id;
    EXPECT_TRUE(words.contains(claim.checked)) << claim.id << ": " << claim.checked;
    EXPECT_TRUE(claim.measure) << claim.id;
  }
  EXPECT_GE(ids.size(), 50u);
}

TEST(Claims, OnAnEmptyFolderOnlyArithmeticIsMeasured) {
  const auto bench = make_bench(folder(), quick());
  ASSERT_TRUE(bench) << bench.error().message;
  const auto rows = measure_all(*bench);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), claims().size());
  for (const Row& row : *rows) {
    if (row.claim->id == "arena-formula" || row.claim->id == "switch-price") {
      EXPECT_EQ(row.measured.verdict, Verdict::kHolds) << row.claim->id;
      continue;
    }
    EXPECT_EQ(row.measured.verdict, Verdict::kUntestable) << row.claim->id;
    EXPECT_TRUE(row.measured.reason.starts_with("needs ")) << row.claim->id << row.measured.reason;
  }
}

TEST(Claims, AFolderThatIsNotThereIsRefused) {
  const auto bench = make_bench(folder() / "none", quick());
  ASSERT_FALSE(bench);
  EXPECT_NE(bench.error().message.find("none"), std::string::npos);
}

TEST(Claims, ASyntheticFolderGivesTheSameTableTwiceAndFindsWhatWasPlanted) {
  const fs::path data = folder();
  std::ofstream(data / "outcomes-toy.jsonl") << outcomes_of(700, "la<b>rge|x");
  std::ofstream(data / "samples-toy.jsonl") << samples_of(60);
  std::ofstream(data / "outcomes-broken.jsonl") << "{\"id\": 3}\n";
  std::ofstream(data / "rag-other.jsonl") << "not read\n";
  std::string first;
  for (int turn = 0; turn < 2; ++turn) {
    const auto bench = make_bench(data, quick());
    ASSERT_TRUE(bench) << bench.error().message;
    ASSERT_EQ(bench->sets.size(), 1u);
    EXPECT_EQ(bench->sets[0].name, "toy");
    ASSERT_EQ(bench->notes.size(), 1u);
    EXPECT_TRUE(bench->notes[0].starts_with("outcomes-broken.jsonl was left out"));
    const auto rows = measure_all(*bench);
    ASSERT_TRUE(rows);
    const std::string page = page_markdown(*bench, *rows), html = page_html(*bench, *rows);
    if (turn == 1) {
      EXPECT_EQ(page, first);
      continue;
    }
    first = page;
    for (const Row& row : *rows) {
      EXPECT_FALSE(row.measured.reason.empty()) << row.claim->id;
      EXPECT_EQ(row.measured.number.empty(),
                row.measured.verdict == Verdict::kUntestable && row.claim->id != "hifi-quality")
          << row.claim->id;
      EXPECT_NE(page.find("<a id=\"" + std::string(row.claim->id) + "\">"), std::string::npos);
      EXPECT_NE(html.find("<tr id='" + std::string(row.claim->id) + "'>"), std::string::npos);
    }
    // A quarter of the queries needs the large arm, and the router knows which.
    EXPECT_EQ(row_of(*rows, "routellm-apgr").measured.verdict, Verdict::kHolds)
        << row_of(*rows, "routellm-apgr").measured.number;
    EXPECT_NE(row_of(*rows, "hybrid-40").measured.verdict, Verdict::kNot);
    // Ten equal votes are decided by the sixth.
    EXPECT_NE(row_of(*rows, "early-stop").measured.number.find("toy/small:a 40 %"),
              std::string::npos)
        << row_of(*rows, "early-stop").measured.number;
    EXPECT_NE(row_of(*rows, "sampling-reach").measured.number.find("toy 50 %"), std::string::npos);
    EXPECT_EQ(html.find("la<b>rge"), std::string::npos) << "a name is markup";
    EXPECT_EQ(html.find("http"), std::string::npos) << "something comes from outside";
    EXPECT_NE(page.find("la&lt;b>rge\\|x"), std::string::npos);
    EXPECT_NE(summary(*bench, *rows).find("note: outcomes-broken"), std::string::npos);
  }
}

// Four queries by falling score; strong helps on the first and the third.
Pair four() {
  Pair pair;
  pair.score = {0.9, 0.7, 0.4, 0.1};
  pair.weak_score = {0, 1, 0, 1};
  pair.strong_score = {1, 1, 1, 1};
  pair.weak_cost = {1, 1, 1, 1};
  pair.strong_cost = {10, 10, 10, 10};
  pair.row = {0, 1, 2, 3};
  pair.by_value = {0, 2, 1, 3};  // what a call costs puts the third before the second
  return pair;
}
constexpr std::size_t kAll[] = {0, 1, 2, 3};

TEST(PairMeasures, AreThoseOfAHandMadePair) {
  const Pair pair = four();
  // By value two strong calls reach the full score at (10 + 10 + 1 + 1) / 4; a coin must call four.
  EXPECT_NEAR(*pair_saving(pair, kAll, 1), 1 - 5.5 / 10, 1e-12);
  EXPECT_NEAR(*coin_saving(pair, kAll, 1), 0, 1e-12);
  // At 75 % one strong call is enough; a coin calls half.
  EXPECT_NEAR(*pair_saving(pair, kAll, 0.75), 1 - 3.25 / 10, 1e-12);
  EXPECT_NEAR(*coin_saving(pair, kAll, 0.75), 1 - 5.5 / 10, 1e-12);
  // By score the gap of 0.5 is recovered to a half by one call, to 80 % by three.
  EXPECT_NEAR(*pair_cpt(pair, kAll, 0.5), 0.25, 1e-12);
  EXPECT_NEAR(*pair_cpt(pair, kAll, 0.8), 0.75, 1e-12);
  // Curve .5, .75, .75, 1, 1: area .8125.
  EXPECT_NEAR(*pair_apgr(pair, kAll), (0.8125 - 0.5) / 0.5, 1e-12);
}

TEST(PairMeasures, RowsDrawnTwiceCountTwice) {
  const std::size_t rows[] = {0, 0, 1, 3};
  EXPECT_NEAR(*pair_cpt(four(), rows, 0.5), 0.25, 1e-12);
  EXPECT_NEAR(*pair_cpt(four(), rows, 1), 0.5, 1e-12);
  const std::size_t easy[] = {1, 1, 3, 3};
  EXPECT_FALSE(pair_apgr(four(), easy)) << "no gap, no measure";
}

TEST(Judging, UpToHoldsOnceReachedAndSureElseInPartElseNot) {
  const Readings reached{{"a", 0.5, 0.4, 0.6}, {"b", 0.1, -0.1, 0.3}};
  EXPECT_EQ(judge_up_to(reached, 0.45, 0, "").verdict, Verdict::kHolds);
  EXPECT_EQ(judge_up_to(reached, 0.55, 0, "").verdict, Verdict::kInPart);
  EXPECT_EQ(judge_up_to({{"b", 0.9, -0.1, 1}}, 0.5, 0, "").verdict, Verdict::kNot);
  EXPECT_EQ(judge_up_to({}, 0.5, 0, "").verdict, Verdict::kUntestable);
}

TEST(Judging, TheUsualCaseNeedsHalfOfTheSets) {
  const Reading good{"a", 0.5, 0.4, 0.6}, poor{"b", 0.1, 0.05, 0.2};
  EXPECT_EQ(judge_usual({good, poor}, 0.55, 0, "").verdict, Verdict::kHolds);
  EXPECT_EQ(judge_usual({good, poor, poor}, 0.55, 0, "").verdict, Verdict::kInPart);
  EXPECT_EQ(judge_usual({{"c", 0, -0.1, 0.1}}, 0.55, 0, "").verdict, Verdict::kNot);
}

}  // namespace
}  // namespace rung::reproduce
