#include "outcomes/table.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rung::outcomes {
namespace {

/// Strings of every size: none, a few bytes, some larger than a block of the column.
std::vector<std::string> strings(std::size_t count) {
  std::vector<std::string> out;
  Rng rng(3);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = rng.below(7) == 0    ? 0
                             : i % 500 == 499     ? (std::size_t{20} << 20) + rng.below(9)
                             : rng.below(50) == 0 ? rng.below(100'000)
                                                  : rng.below(40);
    out.emplace_back(size, static_cast<char>('a' + i % 26));
  }
  return out;
}

void expect_same(const StringColumn& column, const std::vector<std::string>& strings) {
  ASSERT_EQ(column.size(), strings.size());
  for (std::size_t i = 0; i < strings.size(); ++i)
    ASSERT_TRUE(column[i] == strings[i]) << "string " << i << " of " << strings[i].size();
}

TEST(StringColumn, GivesBackStringsOfAnySize) {
  const auto all = strings(1800);
  StringColumn column;
  for (const auto& text : all) column.push(text);
  expect_same(column, all);
}

TEST(StringColumn, MayGrowAfterItWasCopied) {
  auto all = strings(700);
  StringColumn column;
  for (const auto& text : all) column.push(text);
  StringColumn copy = column;
  expect_same(copy, all);
  column.push("only in the first");
  for (const char* text : {"", "one more", ""}) {
    copy.push(text);
    all.emplace_back(text);
  }
  expect_same(copy, all);
  EXPECT_EQ(column[column.size() - 1], "only in the first");
}

TEST(StringColumn, KeepsWhereStringsOfFullBlocksLie) {
  StringColumn column;
  const std::string text(1000, 'x');
  column.push(text);
  const char* first = column[0].data();
  for (int i = 0; i < 40'000; ++i) column.push(text);
  EXPECT_EQ(column[0].data(), first);
}

}  // namespace
}  // namespace rung::outcomes
