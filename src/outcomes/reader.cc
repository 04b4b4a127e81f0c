#include "outcomes/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/hash.h"
#include "base/progress.h"
#include "outcomes/line_reader.h"
#include "outcomes/row_parser.h"

namespace rung::outcomes {
namespace {

constexpr std::uint64_t kRowsPerLook = 1024;  // between two looks at the interrupt flag

// Which row has this id? Open addressing over row numbers: 8 to 16 bytes a row, the ids stay in the
// table.
class IdIndex {
 public:
  /// The row that already has `id`, or `row` itself after adding it.
  std::size_t add(std::string_view id, std::size_t row, const StringColumn& ids) {
    if ((count_ + 1) * 2 > slots_.size()) grow(ids);
    std::size_t at = hash64(id) & (slots_.size() - 1);
    while (slots_[at] != kFree) {
      if (ids[slots_[at]] == id) return slots_[at];
      at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = static_cast<std::uint32_t>(row);
    ++count_;
    return row;
  }

 private:
  static constexpr std::uint32_t kFree = 0xffffffff;
  void grow(const StringColumn& ids) {
    std::vector<std::uint32_t> old(std::max<std::size_t>(slots_.size() * 2, 64), kFree);
    old.swap(slots_);
    for (const std::uint32_t row : old) {
      if (row == kFree) continue;
      std::size_t at = hash64(ids[row]) & (slots_.size() - 1);
      while (slots_[at] != kFree) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = row;
    }
  }
  std::vector<std::uint32_t> slots_;
  std::size_t count_ = 0;
};

// Names to numbers, in order of first appearance; remembers the last answer, since rows repeat
// their order.
class Names {
 public:
  std::size_t of(std::string_view name, std::vector<std::string>& names) {
    const std::size_t guess = last_ + 1 < names.size() ? last_ + 1 : 0;
    if (guess < names.size() && names[guess] == name) return last_ = guess;
    const auto [it, added] = index_.try_emplace(std::string(name), names.size());
    if (added) names.emplace_back(name);
    return last_ = it->second;
  }

 private:
  std::unordered_map<std::string, std::size_t> index_;
  std::size_t last_ = 0;
};

struct Cell {
  std::uint32_t arm;
  float score, cost;
  std::int32_t prompt_tokens, completion_tokens;
};

class Builder {
 public:
  explicit Builder(const ReadOptions& options) : options_(options) {}

  Result<void> read(ByteSource source) {
    files_.push_back({source.name(), lines_.size()});
    LineReader reader(std::move(source));
    const std::uint64_t total = reader.source().total();
    Progress progress(fmt::format("reading {}", files_.back().name), total);
    std::uint64_t told = 0;
    std::string_view line;
    for (;;) {
      auto more = reader.next(line);
      if (!more) return more.error();
      if (!*more) break;
      if (auto added = add(line, reader.line_number()); !added) return added;
      if (lines_.size() % kRowsPerLook != 0) continue;
      if (interrupted()) return Error{ErrorCode::kCancelled, "reading was interrupted"};
      progress.advance(reader.source().consumed() - told);
      told = reader.source().consumed();
    }
    if (lines_.size() == files_.back().first_row) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("{}: is empty; expected at least one outcome, one JSON object per line",
                      files_.back().name)};
    }
    return {};
  }

  Outcomes finish() {
    const std::size_t n = table_.ids.size(), m = table_.arms.size();
    table_.score.assign(n * m, kMissing);
    table_.cost.assign(n * m, kMissing);
    table_.prompt_tokens.assign(n * m, kNoTokens);
    table_.completion_tokens.assign(n * m, kNoTokens);
    std::size_t next = 0;
    for (std::size_t row = 0; row < n; ++row) {
      for (; next < cell_ends_[row]; ++next) {
        const Cell& cell = cells_[next];
        const std::size_t at = table_.cell(row, cell.arm);
        table_.score[at] = cell.score;
        table_.cost[at] = cell.cost;
        table_.prompt_tokens[at] = cell.prompt_tokens;
        table_.completion_tokens[at] = cell.completion_tokens;
      }
    }
    if (options_.keep_outputs) spread_outputs(n, m);
    return {std::move(table_), std::move(texts_)};
  }

 private:
  struct File {
    std::string name;
    std::size_t first_row;
  };

  std::string place(std::size_t row) const {
    std::size_t file = files_.size() - 1;
    while (files_[file].first_row > row) --file;
    return fmt::format("{}:{}", files_[file].name, lines_[row]);
  }

  Result<void> add(std::string_view line, std::uint64_t line_number) {
    where_.clear();
    fmt::format_to(std::back_inserter(where_), "{}:{}", files_.back().name, line_number);
    if (auto parsed = parser_.parse(line, where_, options_.keep_outputs, row_); !parsed)
      return parsed;
    const std::size_t row = lines_.size();
    const std::size_t seen = index_.add(row_.id, row, table_.ids);
    if (seen != row) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("{}: id: found \"{}\", which is already the id of {}; expected each id once",
                      where_, row_.id, place(seen))};
    }
    lines_.push_back(static_cast<std::uint32_t>(line_number));
    table_.ids.push(row_.id);
    table_.prompts.push(row_.prompt);
    table_.category.push_back(row_.has_category ? static_cast<std::int32_t>(category_names_.of(
                                                      row_.category, table_.categories))
                                                : kNoCategory);
    for (const ParsedCell& cell : row_.cells) {
      const auto arm = static_cast<std::uint32_t>(arm_names_.of(cell.arm, table_.arms));
      cells_.push_back({arm, cell.score, cell.cost, cell.prompt_tokens, cell.completion_tokens});
      if (options_.keep_outputs) {
        outputs_.push(cell.output);
        has_output_.push_back(cell.has_output ? 1 : 0);
      }
    }
    cell_ends_.push_back(cells_.size());
    if (options_.keep_outputs) {
      texts_.references.push(row_.has_reference ? std::string_view(row_.reference)
                                                : std::string_view());
      texts_.has_reference.push_back(row_.has_reference ? 1 : 0);
    }
    return {};
  }

  void spread_outputs(std::size_t n, std::size_t m) {
    texts_.has_output.assign(n * m, 0);
    std::vector<std::size_t> from(m);
    std::size_t next = 0;
    for (std::size_t row = 0; row < n; ++row) {
      for (; next < cell_ends_[row]; ++next) {
        const std::uint32_t arm = cells_[next].arm;
        texts_.has_output[table_.cell(row, arm)] = has_output_[next];
        from[arm] = next;
      }
      for (std::size_t arm = 0; arm < m; ++arm) {
        const bool there = texts_.has_output[table_.cell(row, arm)] != 0;
        texts_.outputs.push(there ? outputs_[from[arm]] : std::string_view());
      }
    }
  }

  ReadOptions options_;
  RowParser parser_;
  ParsedRow row_;
  std::string where_;
  std::vector<File> files_;
  std::vector<std::uint32_t> lines_;  // [rows] line of each row in its file
  IdIndex index_;
  Names arm_names_, category_names_;
  // Cells as they come: the number of arms is only known at the end.
  std::vector<Cell> cells_;
  std::vector<std::size_t> cell_ends_;
  StringColumn outputs_;  // beside cells_, if kept
  std::vector<std::uint8_t> has_output_;
  Table table_;
  Texts texts_;
};

}  // namespace

Result<Outcomes> read_outcomes(std::vector<ByteSource> sources, const ReadOptions& options) {
  if (sources.empty())
    return Error{ErrorCode::kInvalidArgument, "no outcomes file was given; expected at least one"};
  Builder builder(options);
  for (ByteSource& source : sources) {
    if (auto read = builder.read(std::move(source)); !read) return read.error();
  }
  return builder.finish();
}

Result<Outcomes> read_outcomes(std::span<const std::string> files, const ReadOptions& options) {
  std::vector<ByteSource> sources;
  for (const std::string& file : files) {
    auto source = ByteSource::open(file);
    if (!source) return source.error();
    sources.push_back(std::move(*source));
  }
  return read_outcomes(std::move(sources), options);
}

Result<Table> read_table(std::span<const std::string> files) {
  auto outcomes = read_outcomes(files);
  if (!outcomes) return outcomes.error();
  return std::move(outcomes->table);
}

}  // namespace rung::outcomes
