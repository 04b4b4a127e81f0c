#pragma once
// The outcomes table: what each arm scored and cost on each query. Columns, so that a million rows
// fit:
//
//   query i ──► id, prompt, category           arm j ──► name
//   cell (i, j) ──► score in [0, 1], cost in USD, prompt tokens, completion tokens; each may be
//   missing
//
// Missing is missing: NaN for score and cost, -1 for tokens. It is never read as 0.
// A plain value; const use from many threads is safe.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace rung::outcomes {

/// Many strings in a few blocks of memory. A block that is full stays where it is, so gigabytes of
/// prompts are never held twice while they grow. Views stay valid until the next push.
class StringColumn {
 public:
  void push(std::string_view text);
  std::size_t size() const { return places_.size(); }
  std::string_view operator[](std::size_t i) const {
    const auto [block, begin] = places_[i];
    const bool last = i + 1 == places_.size() || places_[i + 1].block != block;
    const std::string& bytes = blocks_[block];
    return std::string_view(bytes).substr(begin,
                                          (last ? bytes.size() : places_[i + 1].begin) - begin);
  }

 private:
  struct Place {
    std::uint32_t block, begin;
  };
  std::vector<std::string> blocks_;
  std::vector<Place> places_;
};

inline constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
inline constexpr std::int32_t kNoTokens = -1;
inline constexpr std::int32_t kNoCategory = -1;

struct Table {
  std::vector<std::string> arms;        // [m], in order of first appearance
  std::vector<std::string> categories;  // distinct names, in order of first appearance

  StringColumn ids;                             // [n], unique
  StringColumn prompts;                         // [n]
  std::vector<std::int32_t> category;           // [n], index into categories or kNoCategory
  std::vector<float> score;                     // [n * m] row-major, in [0, 1] or kMissing
  std::vector<float> cost;                      // [n * m] USD for that one call, >= 0 or kMissing
  std::vector<std::int32_t> prompt_tokens;      // [n * m] or kNoTokens
  std::vector<std::int32_t> completion_tokens;  // [n * m] or kNoTokens

  std::size_t rows() const { return ids.size(); }
  std::size_t arm_count() const { return arms.size(); }
  std::size_t cell(std::size_t row, std::size_t arm) const { return row * arms.size() + arm; }
};

/// The rows named by `rows`, in that order, with the same arms and categories.
Table select_rows(const Table& table, const std::vector<std::size_t>& rows);

}  // namespace rung::outcomes
