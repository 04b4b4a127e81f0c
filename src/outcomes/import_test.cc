#include "outcomes/import.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>

#include "base/file.h"
#include "outcomes/pairs.h"
#include "outcomes/reader.h"

namespace rung::outcomes {
namespace {

class Import : public testing::Test {
 protected:
  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("rung_import" + std::to_string(::getpid()));
  std::filesystem::path out_ = folder_ / "out.jsonl";
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  Result<Table> import(std::string_view kind, std::string_view text,
                       const ImportOptions& options = {}) {
    const std::vector<std::string> in{(folder_ / "in").string()}, out{out_.string()};
    EXPECT_TRUE(write_file(in[0], text));
    auto rows = import_outcomes(kind, in, out_, options);
    if (!rows) return rows.error();
    return read_table(out);
  }
  void refuses(std::string_view kind, std::string_view text, std::string_view sentence) {
    std::filesystem::remove(out_);
    auto got = import(kind, text);
    ASSERT_FALSE(got) << sentence;
    EXPECT_NE(got.error().message.find(sentence), std::string::npos) << got.error().message;
    EXPECT_FALSE(std::filesystem::exists(out_)) << "a refused import leaves no file";
  }
};

TEST_F(Import, PairsBecomeScoresOfTheTwoArmsOnly) {
  auto t = import("pairs", R"({"prompt":"p","model_a":"x","model_b":"y","winner":"model_a"}
{"prompt":"q","model_a":"y","model_b":"z","winner":"tie"}
)");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->arms, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ(t->score[0], 1.0f);
  EXPECT_EQ(t->score[1], 0.0f);
  EXPECT_TRUE(std::isnan(t->score[2]) && std::isnan(t->cost[0]));
  EXPECT_EQ(t->score[5], 0.5f);
}

TEST_F(Import, PairsReadDirectlyAreTheTableThatImportingThemGives) {
  const std::string text = R"({"prompt":"p","model_a":"x","model_b":"y","winner":"b"}
{"prompt":"p","model_a":"z","model_b":"x","winner":"tie"}
)";
  const auto t = import("pairs", text);
  const std::string file = (std::filesystem::temp_directory_path() / "rung-pairs.jsonl").string();
  ASSERT_TRUE(write_file(file, text));
  const auto pairs = read_pairs({&file, 1});
  ASSERT_TRUE(t && pairs);
  EXPECT_EQ(pairs->arms, t->arms);
  ASSERT_EQ(pairs->score.size(), t->score.size());
  for (std::size_t i = 0; i < t->score.size(); ++i)
    EXPECT_TRUE(pairs->score[i] == t->score[i] ||
                (std::isnan(pairs->score[i]) && std::isnan(t->score[i])));
  EXPECT_EQ(pairs->prompts[1], "p");
  ASSERT_TRUE(write_file(file, ""));
  EXPECT_NE(read_pairs({&file, 1}).error().message.find("holds no pair"), std::string::npos);
}

TEST_F(Import, PairsRefuseWithASentence) {
  refuses("pairs", R"({"prompt":"p","model_a":"x","model_b":"y","winner":"c"})",
          "in:1: winner: found \"c\"; expected model_a");
  refuses("pairs", R"({"prompt":"p","model_a":"x","model_b":"x","winner":"a"})",
          "the same as model_a");
  refuses("pairs", R"({"prompt":"p","model_a":"x","winner":"a"})", "model_b: found nothing");
  refuses("pairs", "{", "in:1:2: not valid JSON");
  refuses("pairs", "", "holds no record");
  refuses("letters", "", "cannot import \"letters\"; expected pairs");
}

TEST_F(Import, RouterBenchCsvWithQuotesCommasAndLineEnds) {
  auto t = import("routerbench",
                  "sample_id,prompt,eval_name,m/a,m/a|model_response,m/"
                  "a|total_cost,b,b|total_cost,oracle_model_to_route_to\r\n"
                  "s.1,\"say \"\"hi\"\",\nnow\",mmlu,0.5,A,0.001,,0.002,m/a\r\n");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->prompts[0], "say \"hi\",\nnow");
  EXPECT_EQ(t->categories[0], "mmlu");
  EXPECT_EQ(t->score[0], 0.5f);
  EXPECT_TRUE(std::isnan(t->score[1])) << "an empty field is missing, not 0";
  EXPECT_FLOAT_EQ(t->cost[1], 0.002f);
}

TEST_F(Import, RouterBenchRefusesWithLineAndColumn) {
  const std::string header = "sample_id,prompt,a,a|total_cost\n";
  refuses("routerbench", header + "s,p,1.5,0\n",
          "in:2, column 3: a: found \"1.5\"; expected a score between 0 and 1");
  refuses("routerbench", header + "s,p,1,-1\n", "in:2, column 4: a: found \"-1\"");
  refuses("routerbench", header + "s,p,1\n", "in:2: line: found 3 columns; expected 4");
  refuses("routerbench", header + "s,p,1,0\ns,p,1,0\n",
          "in:3: id: found \"s\", which is already the id of");
  refuses("routerbench", header + "s,\"p,1,0\n", "in:2:3: found a quote that never closes");
  refuses("routerbench", "id,prompt\n", "no column \"sample_id\"");
  refuses("routerbench", "sample_id,prompt,a\n", "no pair of columns");
}

TEST_F(Import, OpenAiLogsPriceOnlyTheModelsThatHaveAPrice) {
  ImportOptions options;
  options.prices.insert(*parse_price("x=1/2"));
  const std::string line =
      R"({"request":{"messages":[{"role":"user","content":"old"},{"role":"user","content":[{"type":"text","text":"new"}]}]},"response":{"id":"ID","model":"MODEL","usage":{"prompt_tokens":1000,"completion_tokens":500}},"score":1})"
      "\n";
  const auto with = [&](std::string id, std::string model) {
    std::string text = line;
    text.replace(text.find("ID"), 2, id);
    return text.replace(text.find("MODEL"), 5, model);
  };
  auto t = import("openai-log", with("1", "x") + with("2", "y"), options);
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->prompts[0], "new");
  EXPECT_FLOAT_EQ(t->cost[t->cell(0, 0)], 0.002f);
  EXPECT_TRUE(std::isnan(t->cost[t->cell(1, 1)])) << "no price: missing, never 0";
  EXPECT_EQ(t->completion_tokens[0], 500);
  refuses("openai-log", R"({"request":{},"response":{"model":"x"}})",
          "request/messages: found nothing");
  EXPECT_FALSE(parse_price("x=1"));
  EXPECT_FALSE(parse_price("=1/2"));
  EXPECT_FALSE(parse_price("x=-1/2"));
}

}  // namespace
}  // namespace rung::outcomes
