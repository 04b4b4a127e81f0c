#include "leave_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unordered_map>

#include "base/progress.h"
#include "json/write.h"
#include "outcomes/reader.h"
#include "outcomes/significance.h"
#include "outcomes/split.h"

#ifndef RUNG_NO_PREDICT
#include "judging.h"

namespace rung::cli {
namespace {

constexpr std::size_t kFewest = 20;  // test rows that are worth judging

struct Grouped {
  std::vector<std::string> names;
  std::vector<std::size_t> of_row;  // names.size(): none
};

/// "mmlupro" of "data/outcomes-mmlupro.jsonl.gz".
std::string set_name(const std::string& file) {
  std::string name = std::filesystem::path(file).filename().string();
  if (name.starts_with("outcomes-")) name.erase(0, 9);
  return name.substr(0, name.find('.'));
}

Result<Grouped> group_by_file(const outcomes::Table& all, const std::vector<std::string>& files) {
  Grouped out;
  std::unordered_map<std::string, std::size_t> file_of;
  for (const std::string& file : files) {
    auto table = outcomes::read_table(std::vector{file});
    if (!table) return table.error();
    for (std::size_t i = 0; i < table->rows(); ++i)
      file_of.emplace(table->ids[i], out.names.size());
    out.names.push_back(set_name(file));
  }
  for (std::size_t i = 0; i < all.rows(); ++i)
    out.of_row.push_back(file_of.at(std::string(all.ids[i])));
  return out;
}

Grouped group_by_category(const outcomes::Table& all) {
  Grouped out{all.categories, {}};
  for (std::size_t i = 0; i < all.rows(); ++i)
    out.of_row.push_back(all.category[i] == outcomes::kNoCategory
                             ? out.names.size()
                             : static_cast<std::size_t>(all.category[i]));
  return out;
}

class LeaveOut {
 public:
  explicit LeaveOut(const LeaveOutOptions& options) : options_(options) {}

  Result<LeftOutTable> run() {
    auto read = outcomes::read_table(options_.outcomes);
    if (!read) return read.error();
    all_ = *std::move(read);
    if (options_.by == "file") {
      auto grouped = group_by_file(all_, options_.outcomes);
      if (!grouped) return grouped.error();
      groups_ = *std::move(grouped);
    } else {
      groups_ = group_by_category(all_);
    }
    if (groups_.names.size() < 2)
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("there is nothing to leave out: found {} {}; expected two or more",
                      groups_.names.size(), options_.by == "file" ? "file" : "categories")};
    const auto sides =
        outcomes::split_rows(outcomes::group_by_text(all_), options_.fraction, options_.seed);
    out_.files = options_.outcomes;
    out_.by = options_.by;
    std::size_t few = 0;
    for (std::size_t g = 0; g < groups_.names.size(); ++g) {
      std::vector<std::size_t> test, rest;
      for (const std::size_t row : sides.test)
        if (groups_.of_row[row] == g) test.push_back(row);
      for (const std::size_t row : sides.train)
        if (groups_.of_row[row] != g) rest.push_back(row);
      if (test.size() < kFewest) {
        ++few;
        continue;
      }
      for (const std::string& method : options_.methods)
        if (auto done = judge(g, method, sides.train, rest, test); !done) return done.error();
    }
    if (few > 0)
      out_.notes.push_back(
          fmt::format("{} with fewer than {} test rows are left aside", few, kFewest));
    if (out_.rows.empty())
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("no {} has {} test rows; expected at least one", options_.by, kFewest)};
    return std::move(out_);
  }

 private:
  /// Arms with scores and costs on both sides.
  std::vector<std::size_t> shared_arms(const std::vector<std::size_t>& rest,
                                       const std::vector<std::size_t>& test) const {
    std::vector<std::size_t> arms;
    for (std::size_t arm = 0; arm < all_.arm_count(); ++arm) {
      const auto there = [&](std::size_t row) {
        return std::isfinite(all_.score[all_.cell(row, arm)]) &&
               std::isfinite(all_.cost[all_.cell(row, arm)]);
      };
      if (std::any_of(rest.begin(), rest.end(), there) &&
          std::any_of(test.begin(), test.end(), there))
        arms.push_back(arm);
    }
    return arms;
  }

  Result<void> judge(std::size_t g, const std::string& method,
                     const std::vector<std::size_t>& train, const std::vector<std::size_t>& rest,
                     const std::vector<std::size_t>& test) {
    const auto arms = shared_arms(rest, test);
    LeftOutRow row;
    row.group = groups_.names[g];
    row.method = method;
    row.arms = arms.size();
    if (arms.size() < 2) {
      row.why_not = fmt::format("it shares {} with the rest; expected two arms or more",
                                arms.empty() ? "no arm" : all_.arms[arms[0]]);
      out_.rows.push_back(std::move(row));
      return {};
    }
    const outcomes::Table with = select_arms(all_, train, arms),
                          without = select_arms(all_, rest, arms),
                          judged = select_arms(all_, test, arms);
    row.train_rows = with.rows();
    row.train_rows_without = without.rows();
    row.test_rows = judged.rows();
    const outcomes::HullGainOptions how{.bootstrap = options_.bootstrap, .seed = 1};
    const auto gain = [&](const outcomes::Table& table) -> Result<outcomes::HullGain> {
      auto router = train_method(table, {method, options_.strong, options_.weak});
      if (!router) return router.error();
      return judge_gain(**router, judged, how);
    };
    // Where every arm is shared all groups have one router of all rows in common.
    auto seen =
        arms.size() == all_.arm_count() ? judge_common(with, judged, method, how) : gain(with);
    auto unseen = seen ? gain(without) : Result<outcomes::HullGain>(seen.error());
    for (const auto* one : {&seen, &unseen}) {
      if (*one) continue;
      const ErrorCode code = one->error().code;
      if (code == ErrorCode::kCancelled || code == ErrorCode::kInvalidArgument) return one->error();
      row.why_not = one->error().message;
      out_.rows.push_back(std::move(row));
      return {};
    }
    row.seen = {seen->gain, seen->low, seen->high};
    row.unseen = {unseen->gain, unseen->low, unseen->high};
    const auto lost = outcomes::paired_difference(*seen, *unseen);
    if (!lost) return lost.error();
    row.lost = {lost->value, lost->low, lost->high};
    out_.rows.push_back(std::move(row));
    return {};
  }

  Result<outcomes::HullGain> judge_common(const outcomes::Table& table,
                                          const outcomes::Table& judged, const std::string& method,
                                          const outcomes::HullGainOptions& how) {
    auto& router = common_[method];
    if (!router) {
      auto trained = train_method(table, {method, options_.strong, options_.weak});
      if (!trained) return trained.error();
      router = *std::move(trained);
    }
    return judge_gain(*router, judged, how);
  }

  const LeaveOutOptions& options_;
  outcomes::Table all_;
  Grouped groups_;
  std::unordered_map<std::string, std::shared_ptr<const predict::Router>> common_;
  LeftOutTable out_;
};

std::string shown(const Interval& i) {
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", 100 * i.value, 100 * i.low, 100 * i.high);
}

/// Means over the groups of one method that were judged: each group counts once.
struct Means {
  double seen = 0, unseen = 0, lost = 0;
  std::size_t groups = 0, worse = 0;  // worse: what is lost is more than noise
};
Means means_of(const LeftOutTable& t, const std::string& method) {
  Means m;
  for (const LeftOutRow& row : t.rows) {
    if (row.method != method || !row.why_not.empty()) continue;
    m.seen += row.seen.value, m.unseen += row.unseen.value, m.lost += row.lost.value;
    m.worse += row.lost.low > 0 ? 1 : 0;
    ++m.groups;
  }
  const auto n = static_cast<double>(std::max<std::size_t>(1, m.groups));
  m.seen /= n, m.unseen /= n, m.lost /= n;
  return m;
}

std::vector<std::string> methods_of(const LeftOutTable& t) {
  std::vector<std::string> out;
  for (const LeftOutRow& row : t.rows)
    if (std::find(out.begin(), out.end(), row.method) == out.end()) out.push_back(row.method);
  return out;
}

}  // namespace

Result<LeftOutTable> leave_out(const LeaveOutOptions& options) { return LeaveOut(options).run(); }

std::string left_out_text(const LeftOutTable& t) {
  std::size_t group = 8, method = 6, seen = 12, unseen = 8;
  for (const LeftOutRow& row : t.rows) {
    group = std::max(group, row.group.size());
    method = std::max(method, row.method.size());
    seen = std::max(seen, shown(row.seen).size());
    unseen = std::max(unseen, shown(row.unseen).size());
  }
  std::string out = fmt::format("{}: each {} in turn is left out of training\n\n",
                                fmt::join(t.files, ", "), t.by);
  out += fmt::format(
      "  {:<{}}  {:<{}}  {:>4}  {:>7}  {:>7}  {:>6}  {:<{}}  {:<{}}  lost by leaving out\n", t.by,
      group, "method", method, "arms", "train", "without", "test", "random split", seen, "left out",
      unseen);
  for (const LeftOutRow& row : t.rows) {
    out += fmt::format("  {:<{}}  {:<{}}  {:>4}  ", row.group, group, row.method, method, row.arms);
    if (!row.why_not.empty()) {
      out += "not judged: " + row.why_not + "\n";
      continue;
    }
    out +=
        fmt::format("{:>7}  {:>7}  {:>6}  {:<{}}  {:<{}}  {}{}\n", row.train_rows,
                    row.train_rows_without, row.test_rows, shown(row.seen), seen, shown(row.unseen),
                    unseen, shown(row.lost), row.lost.within_noise() ? " within noise" : "");
  }
  for (const std::string& name : methods_of(t)) {
    const Means m = means_of(t, name);
    if (m.groups < 2) continue;
    out += fmt::format(
        "\n  {}: mean hull gain over {} groups {:+.2f} by a random split, {:+.2f} left out; {} of "
        "them lose more than noise\n",
        name, m.groups, 100 * m.seen, 100 * m.unseen, m.worse);
  }
  out +=
      "\n  Hull gain in points on the same test rows, the static hull being that of these rows; "
      "95 % intervals, paired bootstrap.\n";
  for (const std::string& note : t.notes) out += "  Note: " + note + "\n";
  return out;
}

std::string left_out_json(const LeftOutTable& t) {
  json::Writer w;
  const auto put = [&](std::string_view key, const Interval& i) {
    w.key(key).begin_object().key("value").number(i.value).key("low").number(i.low);
    w.key("high").number(i.high).key("within_noise").boolean(i.within_noise()).end_object();
  };
  w.begin_object().key("files").begin_array();
  for (const std::string& file : t.files) w.string(file);
  w.end_array().key("by").string(t.by).key("rows").begin_array();
  for (const LeftOutRow& row : t.rows) {
    w.begin_object().key("group").string(row.group).key("method").string(row.method);
    w.key("arms").number(row.arms).key("why_not");
    row.why_not.empty() ? w.null() : w.string(row.why_not);
    if (row.why_not.empty()) {
      w.key("train_rows").number(row.train_rows);
      w.key("train_rows_without").number(row.train_rows_without);
      w.key("test_rows").number(row.test_rows);
      put("random_split", row.seen);
      put("left_out", row.unseen);
      put("lost", row.lost);
    }
    w.end_object();
  }
  w.end_array().key("means").begin_array();
  for (const std::string& name : methods_of(t)) {
    const Means m = means_of(t, name);
    w.begin_object().key("method").string(name).key("groups").number(m.groups);
    w.key("random_split").number(m.seen).key("left_out").number(m.unseen);
    w.key("lost").number(m.lost).key("lose_more_than_noise").number(m.worse).end_object();
  }
  w.end_array().key("notes").begin_array();
  for (const std::string& note : t.notes) w.string(note);
  w.end_array().end_object();
  return w.take() + "\n";
}

}  // namespace rung::cli
#endif
