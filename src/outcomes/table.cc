#include "outcomes/table.h"

#include "base/check.h"

namespace rung::outcomes {
namespace {

template <class T>
void copy_row(const std::vector<T>& from, std::size_t row, std::size_t width, std::vector<T>& to) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * width);
  to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
}

}  // namespace

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
