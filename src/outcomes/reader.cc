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

/// One arm of one line, as it came.
struct Cell {
  std::uint32_t piece, arm;
  float score, cost;
  std::int32_t prompt_tokens, completion_tokens;
};

// A line is a piece of a row: files that share an id give one row several pieces.
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
    if (lines_.size() == files_.back().first_piece) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("{}: is empty; expected at least one outcome, one JSON object per line",
                      files_.back().name)};
    }
    return {};
  }

  Result<Outcomes> finish() {
    const std::size_t cells = table_.ids.size() * table_.arms.size();
    table_.score.assign(cells, kMissing);
    table_.cost.assign(cells, kMissing);
    table_.prompt_tokens.assign(cells, kNoTokens);
    table_.completion_tokens.assign(cells, kNoTokens);
    for (std::size_t i = 0; i < cells_.size(); ++i)
      if (auto placed = place(i); !placed) return placed.error();
    if (options_.keep_outputs) {
      if (auto spread = spread_outputs(cells); !spread) return spread.error();
      if (auto spread = spread_references(); !spread) return spread.error();
    }
    return Outcomes{std::move(table_), std::move(texts_)};
  }

 private:
  struct File {
    std::string name;
    std::size_t first_piece;
  };

  std::string where(std::size_t piece) const {
    std::size_t file = files_.size() - 1;
    while (files_[file].first_piece > piece) --file;
    return fmt::format("{}:{}", files_[file].name, lines_[piece]);
  }

  /// Two lines of one id say different things of `field`.
  Error contradiction(std::size_t piece, const std::string& field, std::string_view found,
                      std::string_view before, const std::string& place_before) const {
    return {
        ErrorCode::kInvalidData,
        fmt::format("{}: {}: found {}, but {} says {} for the same id \"{}\"; expected equal "
                    "values, or each of them in one file only",
                    where(piece), field, found, place_before, before, table_.ids[row_of_[piece]])};
  }

  Result<void> add(std::string_view line, std::uint64_t line_number) {
    where_.clear();
    fmt::format_to(std::back_inserter(where_), "{}:{}", files_.back().name, line_number);
    if (auto parsed = parser_.parse(line, where_, options_.keep_outputs, row_); !parsed)
      return parsed;
    const std::size_t row = index_.add(row_.id, table_.ids.size(), table_.ids);
    const auto piece = static_cast<std::uint32_t>(lines_.size());
    const bool is_new = row == table_.ids.size();
    const std::int32_t category =
        row_.has_category
            ? static_cast<std::int32_t>(category_names_.of(row_.category, table_.categories))
            : kNoCategory;
    if (!is_new)
      if (auto twin = check_twin(row); !twin) return twin;
    lines_.push_back(static_cast<std::uint32_t>(line_number));
    row_of_.push_back(static_cast<std::uint32_t>(row));
    category_of_.push_back(category);
    if (is_new) {
      table_.ids.push(row_.id);
      table_.prompts.push(row_.prompt);
      table_.category.push_back(category);
      last_piece_.push_back(piece);
    } else if (auto joined = join(row, piece, category); !joined) {
      return joined;
    }
    for (const ParsedCell& cell : row_.cells) {
      const auto arm = static_cast<std::uint32_t>(arm_names_.of(cell.arm, table_.arms));
      cells_.push_back(
          {piece, arm, cell.score, cell.cost, cell.prompt_tokens, cell.completion_tokens});
      if (options_.keep_outputs) {
        outputs_.push(cell.output);
        has_output_.push_back(cell.has_output ? 1 : 0);
      }
    }
    if (options_.keep_outputs) {
      references_.push(row_.has_reference ? std::string_view(row_.reference) : std::string_view());
      has_reference_.push_back(row_.has_reference ? 1 : 0);
    }
    return {};
  }

  /// May the line just read be another piece of `row`?
  Result<void> check_twin(std::size_t row) const {
    const std::size_t last = last_piece_[row];
    if (last >= files_.back().first_piece) {
      return Error{ErrorCode::kInvalidData,
                   fmt::format("{}: id: found \"{}\", which is already the id of {}; expected each "
                               "id once in a file",
                               where_, row_.id, where(last))};
    }
    if (row_.prompt != table_.prompts[row]) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("{}: prompt: found another text than in {}, which has the same id \"{}\"; "
                      "expected the same prompt, or ids that differ between files",
                      where_, where(last), row_.id)};
    }
    return {};
  }

  Result<void> join(std::size_t row, std::uint32_t piece, std::int32_t category) {
    last_piece_[row] = piece;
    if (category == kNoCategory) return {};
    std::int32_t& known = table_.category[row];
    if (known == kNoCategory) known = category;
    if (known == category) return {};
    const auto name = [&](std::int32_t c) {
      return fmt::format("\"{}\"", table_.categories[static_cast<std::size_t>(c)]);
    };
    std::size_t other = 0;
    while (row_of_[other] != row || category_of_[other] == kNoCategory) ++other;
    return contradiction(piece, "category", name(category), name(known), where(other));
  }

  /// Writes cell i into the table. What is known fills what is not; two values must be equal.
  Result<void> place(std::size_t i) {
    const Cell& cell = cells_[i];
    const std::size_t at = table_.cell(row_of_[cell.piece], cell.arm);
    const auto set = [&](const char* field, auto Cell::*member, auto& column,
                         auto missing) -> Result<void> {
      const auto is_known = [&](auto value) { return value == value && value != missing; };
      const auto value = cell.*member;
      if (!is_known(value)) return {};
      if (is_known(column[at]) && column[at] != value) {
        std::size_t other = 0;
        while (cells_[other].arm != cell.arm || !is_known(cells_[other].*member) ||
               row_of_[cells_[other].piece] != row_of_[cell.piece])
          ++other;
        return contradiction(cell.piece, fmt::format("models.{}.{}", table_.arms[cell.arm], field),
                             fmt::format("{}", value), fmt::format("{}", column[at]),
                             where(cells_[other].piece));
      }
      column[at] = value;
      return {};
    };
    if (auto r = set("score", &Cell::score, table_.score, kMissing); !r) return r;
    if (auto r = set("cost", &Cell::cost, table_.cost, kMissing); !r) return r;
    if (auto r = set("prompt_tokens", &Cell::prompt_tokens, table_.prompt_tokens, kNoTokens); !r)
      return r;
    return set("completion_tokens", &Cell::completion_tokens, table_.completion_tokens, kNoTokens);
  }

  Result<void> spread_outputs(std::size_t cells) {
    constexpr std::uint32_t kNone = 0xffffffff;
    std::vector<std::uint32_t> from(cells, kNone);  // which of outputs_
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (has_output_[i] == 0) continue;
      std::uint32_t& source = from[table_.cell(row_of_[cells_[i].piece], cells_[i].arm)];
      if (source != kNone && outputs_[source] != outputs_[i])
        return contradiction(cells_[i].piece,
                             fmt::format("models.{}.output", table_.arms[cells_[i].arm]),
                             "another text", "something else", where(cells_[source].piece));
      if (source == kNone) source = static_cast<std::uint32_t>(i);
    }
    texts_.has_output.reserve(cells);
    for (const std::uint32_t source : from) {
      texts_.has_output.push_back(source != kNone);
      texts_.outputs.push(source != kNone ? outputs_[source] : std::string_view());
    }
    return {};
  }

  Result<void> spread_references() {
    const std::size_t rows = table_.ids.size();
    if (rows == lines_.size()) {  // no row has two pieces
      texts_.references = std::move(references_);
      texts_.has_reference = std::move(has_reference_);
      return {};
    }
    constexpr std::uint32_t kNone = 0xffffffff;
    std::vector<std::uint32_t> from(rows, kNone);  // which of references_
    for (std::size_t piece = 0; piece < lines_.size(); ++piece) {
      if (has_reference_[piece] == 0) continue;
      std::uint32_t& source = from[row_of_[piece]];
      if (source != kNone && references_[source] != references_[piece])
        return contradiction(piece, "reference", "another text", "something else", where(source));
      if (source == kNone) source = static_cast<std::uint32_t>(piece);
    }
    for (const std::uint32_t source : from) {
      texts_.references.push(source != kNone ? references_[source] : std::string_view());
      texts_.has_reference.push_back(source != kNone);
    }
    return {};
  }

  ReadOptions options_;
  RowParser parser_;
  ParsedRow row_;
  std::string where_;
  std::vector<File> files_;
  std::vector<std::uint32_t> lines_;       // [pieces] line of each piece in its file
  std::vector<std::uint32_t> row_of_;      // [pieces]
  std::vector<std::int32_t> category_of_;  // [pieces]
  std::vector<std::uint32_t> last_piece_;  // [rows]
  IdIndex index_;
  Names arm_names_, category_names_;
  // Cells as they come: the number of arms is only known at the end.
  std::vector<Cell> cells_;
  StringColumn outputs_;  // beside cells_, if kept
  std::vector<std::uint8_t> has_output_;
  StringColumn references_;  // [pieces], if kept
  std::vector<std::uint8_t> has_reference_;
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
