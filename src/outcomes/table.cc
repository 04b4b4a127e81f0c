#include "outcomes/table.h"

#include <algorithm>

#include "base/check.h"

namespace rung::outcomes {
namespace {

template <class T>
void copy_row(const std::vector<T>& from, std::size_t row, std::size_t width, std::vector<T>& to) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * width);
  to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
}

// A block begins as large as all before it together, within these bounds.
constexpr std::size_t kLeastBlock = std::size_t{1} << 12, kMostBlock = std::size_t{1} << 24;

}  // namespace

void StringColumn::push(std::string_view text) {
  if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < text.size() ||
      blocks_.back().size() >= kMostBlock) {
    std::size_t held = 0;
    for (std::size_t b = blocks_.size(); b-- > 0 && held < kMostBlock;) held += blocks_[b].size();
    blocks_.emplace_back().reserve(
        std::max(text.size(), std::clamp(held, kLeastBlock, kMostBlock)));
  }
  std::string& block = blocks_.back();
  places_.push_back(
      {static_cast<std::uint32_t>(blocks_.size() - 1), static_cast<std::uint32_t>(block.size())});
  block.append(text);
}

Table select_rows(const Table& table, const std::vector<std::size_t>& rows) {
  Table out;
  out.arms = table.arms;
  out.categories = table.categories;
  const std::size_t m = table.arm_count();
  out.category.reserve(rows.size());
  out.score.reserve(rows.size() * m);
  out.cost.reserve(rows.size() * m);
  out.prompt_tokens.reserve(rows.size() * m);
  out.completion_tokens.reserve(rows.size() * m);
  for (const std::size_t row : rows) {
    RUNG_CHECK(row < table.rows(), "select_rows with a row that the table does not have");
    out.ids.push(table.ids[row]);
    out.prompts.push(table.prompts[row]);
    out.category.push_back(table.category[row]);
    copy_row(table.score, row, m, out.score);
    copy_row(table.cost, row, m, out.cost);
    copy_row(table.prompt_tokens, row, m, out.prompt_tokens);
    copy_row(table.completion_tokens, row, m, out.completion_tokens);
  }
  return out;
}

}  // namespace rung::outcomes
