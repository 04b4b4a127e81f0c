#include "outcomes/reader.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "outcomes/split.h"
#include "outcomes/writer.h"

namespace rung::outcomes {
namespace {

const std::string kGood =
    R"({"id":"a","prompt":"p","category":"c","reference":"r","extra":[1],"models":{"x":{"score":0.25,"cost":0.001,"prompt_tokens":3,"completion_tokens":4,"output":"o"},"y":{"score":null}}})"
    "\n";

// Bytes given out a few at a time, as a slow pipe would.
ByteSource source(std::string bytes, std::size_t step = 1 << 16, std::string name = "t.jsonl") {
  auto at = std::make_shared<std::size_t>(0);
  return ByteSource(std::move(name),
                    [bytes = std::move(bytes), at, step](char* into, std::size_t capacity) {
                      const std::size_t n = std::min({step, capacity, bytes.size() - *at});
                      std::memcpy(into, bytes.data() + *at, n);
                      *at += n;
                      return static_cast<std::ptrdiff_t>(n);
                    });
}

Result<Outcomes> read(std::string bytes, std::size_t step = 1 << 16, ReadOptions options = {}) {
  std::vector<ByteSource> sources;
  sources.push_back(source(std::move(bytes), step));
  return read_outcomes(std::move(sources), options);
}

std::string refusal(std::string bytes) {
  auto got = read(std::move(bytes));
  return got ? "accepted" : got.error().message;
}

std::string row(std::string_view cell) {
  return R"({"id":"a","prompt":"p","models":{"x":)" + std::string(cell) + "}}\n";
}

std::string gzip(const std::string& bytes) {
  std::string out(bytes.size() + 200, '\0');
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

std::string many_rows(std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    out += R"({"id":"r)" + std::to_string(i) + R"(","prompt":"what is )" +
           std::to_string(i * 7919) +
           R"(?","models":{"x":{"score":1,"cost":0.5}}})"
           "\n";
  }
  return out;
}

TEST(Reader, ReadsAllFieldsAndLeavesMissingOnesMissing) {
  auto got = read(kGood, 1 << 16, {.keep_outputs = true});
  ASSERT_TRUE(got) << got.error().message;
  const Table& t = got->table;
  EXPECT_EQ(t.arms, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(t.ids[0], "a");
  EXPECT_EQ(t.categories.at(static_cast<std::size_t>(t.category[0])), "c");
  EXPECT_FLOAT_EQ(t.score[0], 0.25f);
  EXPECT_FLOAT_EQ(t.cost[0], 0.001f);
  EXPECT_EQ(t.completion_tokens[0], 4);
  EXPECT_TRUE(std::isnan(t.score[1]) && std::isnan(t.cost[1]));
  EXPECT_EQ(t.prompt_tokens[1], kNoTokens);
  EXPECT_EQ(got->texts.references[0], "r");
  EXPECT_EQ(got->texts.outputs[0], "o");
  EXPECT_EQ(got->texts.has_output[1], 0);
}

TEST(Reader, SkipsBlankLinesAndTheByteOrderMark) {
  auto got = read("\xef\xbb\xbf" + kGood + "\n  \r\n");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->table.rows(), 1u);
}

TEST(Reader, TakesAnyPackingFedByteByByte) {
  const std::string plain = many_rows(300);
  for (const std::string& packed :
       {plain, gzip(plain), zstd(plain), gzip(plain.substr(0, 0)) + gzip(plain)}) {
    auto got = read(packed, 1);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->table.rows(), 300u);
    EXPECT_EQ(got->table.ids[299], "r299");
  }
}

TEST(Reader, RefusesEveryCutOfAPackedFile) {
  const std::string plain = many_rows(20);
  for (const std::string& packed : {gzip(plain), zstd(plain)}) {
    for (std::size_t size = 12; size < packed.size(); size += 7) {
      EXPECT_NE(refusal(packed.substr(0, size)).find("ends in the middle of its"),
                std::string::npos)
          << size;
    }
  }
}

TEST(Reader, RefusesDamagedGzip) {
  std::string packed = gzip(many_rows(50));
  packed[packed.size() / 2] = static_cast<char>(~packed[packed.size() / 2]);
  EXPECT_NE(refusal(packed).find("damaged"), std::string::npos);
}

TEST(Reader, EachRefusalHasItsOwnSentence) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "t.jsonl: is empty; expected at least one outcome"},
      {"\n\n", "t.jsonl: is empty"},
      {"{\"id\":\"a\",", "t.jsonl:1:11: not valid JSON"},
      {kGood + "nonsense\n", "t.jsonl:2:1: not valid JSON: found nonsense"},
      {"[]\n", "found a list; expected one JSON object per line"},
      {R"({"prompt":"p","models":{"x":{}}})", "the field \"id\" is missing"},
      {R"({"id":"a","models":{"x":{}}})", "the field \"prompt\" is missing"},
      {R"({"id":"a","prompt":"p"})", "the field \"models\" is missing"},
      {R"({"id":7,"prompt":"p","models":{"x":{}}})", "id: found 7; expected a string"},
      {R"({"id":"a","prompt":"p","models":{}})", "models: found no arm"},
      {R"({"id":"a","prompt":"p","models":{"x":{},"x":{}}})", "the arm \"x\" twice"},
      {row(R"({"score":NaN})"),
       "t.jsonl:1:47: not valid JSON in models.x.score: found NaN; expected a number, or null"},
      {row(R"({"score":1.5})"), "models.x.score: found 1.5; expected a number between 0 and 1"},
      {row(R"({"score":-0.1})"), "models.x.score: found -0.1"},
      {row(R"({"score":"1"})"), "models.x.score: found the string \"1\""},
      {row(R"({"score":true})"), "models.x.score: found true"},
      {row(R"({"cost":-1})"), "models.x.cost: found -1"},
      {row(R"({"cost":1e999})"), "t.jsonl:1"},
      {row(R"({"prompt_tokens":-3})"), "models.x.prompt_tokens: found -3"},
      {row("3"), "models.x: found 3; expected an object"},
      {kGood + "\n" + kGood, "t.jsonl:3: id: found \"a\", which is already the id of t.jsonl:1"},
      {"\xff\xfe{", "UTF-16"},
      {"{\"id\":\"\xff\",\"prompt\":\"p\",\"models\":{\"x\":{}}}", "not UTF-8"},
  };
  for (const auto& [bytes, sentence] : cases) {
    const std::string got = refusal(bytes);
    EXPECT_NE(got.find(sentence), std::string::npos)
        << "got:      " << got << "\nexpected: " << sentence;
  }
}

// Files "one", "two", ... with these bytes.
Result<Outcomes> read_files(const std::vector<std::string>& files, ReadOptions options = {}) {
  const std::vector<std::string> names{"one", "two", "three"};
  std::vector<ByteSource> sources;
  for (std::size_t i = 0; i < files.size(); ++i) sources.push_back(source(files[i], 99, names[i]));
  return read_outcomes(std::move(sources), options);
}

TEST(Reader, JoinsFilesIntoTheUnionOfArms) {
  auto got = read_files({R"({"id":"a","prompt":"p","models":{"x":{"score":1}}})",
                         R"({"id":"b","prompt":"p","models":{"y":{"score":0}}})"});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->table.arm_count(), 2u);
  EXPECT_TRUE(std::isnan(got->table.score[got->table.cell(0, 1)]));
  EXPECT_EQ(got->table.score[got->table.cell(1, 1)], 0.0f);
}

TEST(Reader, JoinsRowsOfDifferentFilesThatShareAnIdAndItsPrompt) {
  auto got = read_files(
      {R"({"id":"a","prompt":"p","models":{"x":{"score":1,"output":"ox"}}})"
       "\n"
       R"({"id":"b","prompt":"q","reference":"rb","models":{"x":{"score":0.5}}})",
       R"({"id":"b","prompt":"q","category":"c","models":{"y":{"score":0.25,"output":"oy"}}})"
       "\n"
       R"({"id":"c","prompt":"s","models":{"y":{"score":0}}})"
       "\n"
       R"({"id":"a","prompt":"p","reference":"ra","models":{"y":{"cost":2,"completion_tokens":7}}})",
       R"({"id":"a","prompt":"p","category":"c","models":{"x":{"score":1,"cost":3},"y":null}})"},
      {.keep_outputs = true});
  ASSERT_TRUE(got) << got.error().message;
  const Table& t = got->table;
  ASSERT_EQ(t.rows(), 3u);
  EXPECT_EQ(t.arms, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(t.ids[0], "a");
  EXPECT_EQ(t.prompts[1], "q");
  EXPECT_EQ(t.category, (std::vector<std::int32_t>{0, 0, kNoCategory}));
  EXPECT_EQ(t.score[t.cell(0, 0)], 1.0f);
  EXPECT_EQ(t.cost[t.cell(0, 0)], 3.0f) << "what a later file knows fills what an earlier does not";
  EXPECT_EQ(t.cost[t.cell(0, 1)], 2.0f) << "a null takes nothing away";
  EXPECT_EQ(t.completion_tokens[t.cell(0, 1)], 7);
  EXPECT_TRUE(std::isnan(t.score[t.cell(0, 1)]));
  EXPECT_EQ(t.score[t.cell(1, 1)], 0.25f);
  EXPECT_TRUE(std::isnan(t.score[t.cell(2, 0)]));
  EXPECT_EQ(got->texts.references[0], "ra");
  EXPECT_EQ(got->texts.references[1], "rb");
  EXPECT_EQ(got->texts.has_reference[2], 0);
  EXPECT_EQ(got->texts.outputs[t.cell(0, 0)], "ox");
  EXPECT_EQ(got->texts.outputs[t.cell(1, 1)], "oy");
  EXPECT_EQ(got->texts.has_output[t.cell(1, 0)], 0);
}

TEST(Reader, OneFileForEachArmIsTheSameTableAsOneFileForAll) {
  std::string both, x, y;
  for (int i = 0; i < 3000; ++i) {
    const std::string head =
        R"({"id":"r)" + std::to_string(i) + R"(","prompt":"what is )" + std::to_string(i);
    const std::string cell_x = R"("x":{"score":0.)" + std::to_string(i % 10) + "}";
    const std::string cell_y = R"("y":{"score":1,"cost":)" + std::to_string(i) + "}";
    both.append(head).append(R"(","models":{)" + cell_x + "," + cell_y + "}}\n");
    x.append(head).append(R"(","models":{)" + cell_x + "}}\n");
    y.append(head).append(R"(","models":{)" + cell_y + "}}\n");
  }
  const auto one = read(both), two = read_files({x, y});
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->table.arms, two->table.arms);
  ASSERT_EQ(one->table.rows(), two->table.rows());
  EXPECT_EQ(one->table.score, two->table.score);
  for (std::size_t i = 1; i < one->table.cost.size(); i += 2)
    EXPECT_EQ(one->table.cost[i], two->table.cost[i]);
}

TEST(Reader, RowsThatContradictEachOtherAreRefusedWithBothPlaces) {
  const std::string first =
      "\n"
      R"({"id":"a","prompt":"p","category":"c","reference":"r",)"
      R"("models":{"x":{"score":1,"cost":2,"prompt_tokens":3,"output":"o"}}})"
      "\n";
  const auto row_of_a = [](const std::string& fields, const std::string& cell) {
    return R"({"id":"a",)" + fields + R"(,"models":{"x":{)" + cell + "}}}";
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {row_of_a(R"("prompt":"other")", ""),
       "two:1: prompt: found another text than in one:2, which has the same id \"a\""},
      {row_of_a(R"("prompt":"p")", R"("score":0.5)"),
       "two:1: models.x.score: found 0.5, but one:2 says 1 for the same id \"a\""},
      {row_of_a(R"("prompt":"p")", R"("cost":0)"), "models.x.cost: found 0, but one:2 says 2"},
      {row_of_a(R"("prompt":"p")", R"("prompt_tokens":4)"), "found 4, but one:2 says 3"},
      {row_of_a(R"("prompt":"p")", R"("output":"u")"), "models.x.output: found another text"},
      {row_of_a(R"("prompt":"p","category":"d")", ""),
       "category: found \"d\", but one:2 says \"c\""},
      {row_of_a(R"("prompt":"p","reference":"s")", ""), "reference: found another text"},
  };
  for (const auto& [second, sentence] : cases) {
    const auto got = read_files({first, second}, {.keep_outputs = true});
    ASSERT_FALSE(got) << second;
    EXPECT_NE(got.error().message.find(sentence), std::string::npos)
        << "got:      " << got.error().message << "\nexpected: " << sentence;
    EXPECT_NE(got.error().message.find("one:2"), std::string::npos) << got.error().message;
  }
}

TEST(Reader, ATwinWithinALaterFileIsRefusedEvenWhereAnEarlierFileHasTheId) {
  const auto got = read_files({kGood, kGood + kGood});
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("two:2: id: found \"a\", which is already the id of two:1"),
            std::string::npos)
      << got.error().message;
}

TEST(Writer, WhatIsWrittenReadsBackTheSameInEveryPacking) {
  auto first = read(kGood + many_rows(40), 1 << 16, {.keep_outputs = true});
  ASSERT_TRUE(first);
  const auto folder = std::filesystem::path(testing::TempDir());
  for (const char* name : {"w.jsonl", "w.jsonl.gz", "w.jsonl.zst"}) {
    const auto path = folder / name;
    ASSERT_TRUE(write_outcomes(path, *first));
    const std::vector<std::string> files{path.string()};
    auto again = read_outcomes(files, {.keep_outputs = true});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->table.rows(), 41u);
    EXPECT_EQ(again->table.prompts[40], first->table.prompts[40]);
    EXPECT_EQ(again->table.cost[0], first->table.cost[0]);
    EXPECT_EQ(again->texts.outputs[0], "o");
    EXPECT_EQ(again->texts.references[0], "r");
    std::filesystem::remove(path);
  }
}

Table prompts(const std::vector<std::string>& texts) {
  Table t;
  t.arms = {"x"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    t.ids.push("id" + std::to_string(i));
    t.prompts.push(texts[i]);
    t.category.push_back(kNoCategory);
  }
  return t;
}

TEST(Groups, PutNearDuplicatesTogetherAndOthersApart) {
  const std::string story =
      "a farmer has twelve cows and buys seven more at the market before he sells three of them to "
      "his neighbour for a fair price in spring";
  const Groups g = group_by_text(
      prompts({story, "Another question about rivers and lakes in Norway", "  " + story + "!",
               story + " today", "what is 2 + 2", "what is 3 + 5"}));
  EXPECT_EQ(g.of_row[0], g.of_row[2]);
  EXPECT_EQ(g.of_row[0], g.of_row[3]);
  EXPECT_NE(g.of_row[0], g.of_row[1]);
  EXPECT_NE(g.of_row[4], g.of_row[5]) << "other numbers are another question";
}

TEST(Split, NeverPartsAGroupAndKeepsRowsInPlaceWhenOthersCome) {
  std::vector<std::string> texts;
  for (int i = 0; i < 2000; ++i)
    texts.push_back("question number " + std::to_string(i / 2) + " of many");
  const Groups all = group_by_text(prompts(texts));
  const Split split = split_rows(all, 0.3, 5);
  EXPECT_NEAR(static_cast<double>(split.test.size()), 600.0, 90.0);
  std::vector<int> side(texts.size(), 0);
  for (const std::size_t r : split.test) side[r] = 1;
  for (std::size_t i = 0; i < texts.size(); i += 2) EXPECT_EQ(side[i], side[i + 1]);
  texts.resize(1000);
  const Split fewer = split_rows(group_by_text(prompts(texts)), 0.3, 5);
  for (const std::size_t r : fewer.test) EXPECT_EQ(side[r], 1);
}

TEST(Reader, ReadsTheSharedSets) {
  const char* at = std::getenv("RUNG_SHARED");
  const std::filesystem::path shared = at != nullptr ? at : RUNG_SOURCE_DIR "/../shared";
  const std::vector<std::string> files{(shared / "data/outcomes-mmlupro.jsonl.gz").string()};
  if (!std::filesystem::exists(files[0]))
    GTEST_SKIP() << "no " << files[0] << "; set RUNG_SHARED to the folder that has data/";
  auto table = read_table(files);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->rows(), 8313u);
  EXPECT_EQ(table->arm_count(), 12u);
}

}  // namespace
}  // namespace rung::outcomes
