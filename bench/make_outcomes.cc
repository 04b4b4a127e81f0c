// A synthetic outcomes table of any size, for measuring how reading and training scale. Each row
// depends on the seed and its number alone, so a small table is the beginning of a large one.
// Prompts are words made of syllables, 20 to --most-words of them, no two alike; two in a hundred
// are an earlier one with a few words changed. Arms differ by topic and by length in what they can
// do, so routing pays. It says nothing about quality on real prompts.
//
//   make_outcomes --rows N [--arms 12] [--topics 24] [--most-words 400] [--missing 0] [--seed 1]
//                 [--out FILE]
//
// --missing is the share of calls that were never made; the first arm is on every row.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/random.h"

namespace rung {
namespace {

constexpr std::size_t kCommonWords = 4000, kTopicWords = 2000;
constexpr double kLeastWords = 20;
constexpr double kNearDuplicates = 0.02;
constexpr double kLeastPrice = 0.1, kPriceSpan = 30;  // USD per million prompt tokens
constexpr double kCompletionPrice = 4;                // times that of a prompt token

struct Options {
  std::uint64_t rows = 0, seed = 1;
  std::size_t arms = 12, topics = 24;
  double most_words = 400, missing = 0;
  std::string out;
};

std::string make_word(Rng& rng) {
  static constexpr std::string_view kStarts[] = {
      "b", "br", "c",  "ch", "d", "dr", "f",  "fl", "g",  "gr", "h", "j", "k", "l", "m",
      "n", "p",  "pl", "qu", "r", "s",  "sh", "t",  "tr", "st", "v", "w", "z", "",  "th"};
  static constexpr std::string_view kMiddles[] = {"a",  "e",  "i",  "o",  "u", "ai",
                                                  "ea", "ou", "io", "ee", "é", "ü"};
  static constexpr std::string_view kEnds[] = {"",  "",  "",  "",  "",   "",   "n",
                                               "r", "s", "l", "t", "nd", "st", "ck"};
  const auto pick = [&](const auto& from, std::size_t of) { return from[rng.below(of)]; };
  std::string word;
  const std::uint64_t syllables = 1 + rng.below(2) + rng.below(3) / 2;
  for (std::uint64_t i = 0; i < syllables; ++i) {
    word += pick(kStarts, std::size(kStarts));
    // Accents are rare, as in most text.
    word += pick(kMiddles, rng.below(40) == 0 ? std::size(kMiddles) : std::size(kMiddles) - 2);
    word += pick(kEnds, std::size(kEnds));
  }
  return word;
}

/// Numbers 0 to n - 1, the r-th of them with a probability in proportion to 1 / (r + 3).
class Zipf {
 public:
  explicit Zipf(std::size_t n) {
    double sum = 0;
    for (std::size_t r = 0; r < n; ++r) until_.push_back(sum += 1.0 / static_cast<double>(r + 3));
  }
  std::size_t draw(Rng& rng) const {
    const double at = rng.uniform() * until_.back();
    const auto found = std::upper_bound(until_.begin(), until_.end(), at) - until_.begin();
    return std::min(static_cast<std::size_t>(found), until_.size() - 1);
  }

 private:
  std::vector<double> until_;
};

struct Topic {
  std::string name;
  std::vector<std::string> words;
  double answer_words = 0;  // of a usual answer
};

struct Arm {
  std::string name;
  double prompt_price = 0;  // USD per token
  double tokens_a_byte = 0, wordiness = 0;
  double skill = 0, length_effect = 0;
  std::vector<double> at_topic;  // [topics] what it is better or worse at
};

struct Prompt {
  std::size_t topic = 0;
  double hardness = 0;
  std::vector<std::string_view> words;
  std::vector<std::string> rare;  // words of this prompt alone; `words` looks into it
};

class Maker {
 public:
  explicit Maker(const Options& options)
      : options_(options),
        common_order_(kCommonWords),
        topic_order_(kTopicWords),
        topic_of_row_(options.topics) {
    Rng rng(options.seed);
    std::unordered_set<std::string> taken;
    const auto vocabulary = [&](std::size_t size) {
      std::vector<std::string> words;
      while (words.size() < size)
        if (std::string word = make_word(rng); taken.insert(word).second)
          words.push_back(std::move(word));
      // Frequent words are short.
      std::stable_sort(words.begin(), words.end(),
                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
      return words;
    };
    common_ = vocabulary(kCommonWords);
    for (std::size_t t = 0; t < options.topics; ++t) {
      Topic& topic = topics_.emplace_back();
      topic.words = vocabulary(kTopicWords);
      topic.name = fmt::format("{:02}-{}", t, topic.words[200]);
      topic.answer_words = 40 * std::exp(0.8 * rng.normal());
    }
    for (std::size_t j = 0; j < options.arms; ++j) {
      Arm& arm = arms_.emplace_back();
      const double size =
          static_cast<double>(j) / static_cast<double>(std::max<std::size_t>(options.arms - 1, 1));
      arm.name = fmt::format("arm-{:02}", j);
      arm.prompt_price = 1e-6 * kLeastPrice * std::pow(kPriceSpan, size);
      arm.tokens_a_byte = 0.2 + 0.1 * rng.uniform();
      arm.wordiness = std::exp(0.3 * rng.normal());
      arm.skill = -0.4 + 1.6 * size + 0.2 * rng.normal();
      arm.length_effect = 0.8 * (size - 1) + 0.15 * rng.normal();  // small models lose long ones
      for (std::size_t t = 0; t < options.topics; ++t)
        arm.at_topic.push_back((1 - 0.5 * size) * rng.normal());
    }
  }

  /// Appends the row's line to `out`.
  void row(std::uint64_t i, std::string& out) {
    Rng rng = rng_of(i, 1);
    const bool twin = i > 0 && rng.uniform() < kNearDuplicates;
    const Prompt prompt = twin ? changed(rng.below(i), rng) : fresh(i);
    const Topic& topic = topics_[prompt.topic];
    text_.clear();
    write_text(prompt, i, text_);
    const auto to = std::back_inserter(out);
    fmt::format_to(to, R"({{"id":"row-{}","prompt":"{}","category":"{}","models":{{)", i, text_,
                   topic.name);
    const double middle = 0.5 * (std::log(kLeastWords) + std::log(options_.most_words));
    const double length = std::log(static_cast<double>(prompt.words.size())) - middle;
    const double answer = topic.answer_words * std::exp(0.3 * length + 0.4 * rng.normal());
    for (std::size_t j = 0; j < arms_.size(); ++j) {
      const Arm& arm = arms_[j];
      const double able = arm.skill + arm.at_topic[prompt.topic] + arm.length_effect * length;
      const double right = 1 / (1 + std::exp(-1.5 * (able - prompt.hardness)));
      const int score = rng.uniform() < right ? 1 : 0;
      const auto asked =
          static_cast<int>(8 + arm.tokens_a_byte * static_cast<double>(text_.size()));
      const auto said =
          static_cast<int>(1 + 1.4 * answer * arm.wordiness * std::exp(0.25 * rng.normal()));
      const double cost = arm.prompt_price * (asked + kCompletionPrice * said);
      if (j > 0 && rng.uniform() < options_.missing) continue;
      fmt::format_to(
          to, R"({}"{}":{{"score":{},"cost":{:.9f},"prompt_tokens":{},"completion_tokens":{}}})",
          j == 0 ? "" : ",", arm.name, score, cost, asked, said);
    }
    out += "}}\n";
  }

 private:
  Rng rng_of(std::uint64_t i, std::uint64_t purpose) const {
    return Rng(mix64(mix64(options_.seed) ^ mix64(4 * i + purpose)));
  }

  Prompt fresh(std::uint64_t i) const {
    Rng rng = rng_of(i, 0);
    Prompt prompt;
    prompt.topic = topic_of_row_.draw(rng);
    prompt.hardness = 0.8 * rng.normal();
    const std::vector<std::string>& own = topics_[prompt.topic].words;
    const auto n = static_cast<std::size_t>(
        kLeastWords * std::pow(options_.most_words / kLeastWords, rng.uniform()));
    prompt.rare.reserve(n);  // views look into it: it must not move
    prompt.words.reserve(n + 4);
    for (std::size_t w = 0; w < n; ++w) {
      const double kind = rng.uniform();
      if (kind < 0.55) {
        prompt.words.push_back(common_[common_order_.draw(rng)]);
      } else if (kind < 0.94) {
        prompt.words.push_back(own[topic_order_.draw(rng)]);
      } else {
        prompt.rare.push_back(kind < 0.97 ? make_word(rng) : std::to_string(rng.below(100'000)));
        prompt.words.push_back(prompt.rare.back());
      }
    }
    return prompt;
  }

  /// Prompt `of` with one word in eighty replaced and one more at the end.
  Prompt changed(std::uint64_t of, Rng& rng) const {
    Prompt prompt = fresh(of);
    for (std::size_t k = 0; k < prompt.words.size() / 80; ++k)
      prompt.words[rng.below(prompt.words.size())] = common_[common_order_.draw(rng)];
    prompt.words.push_back(common_[common_order_.draw(rng)]);
    return prompt;
  }

  /// Words as sentences; what JSON would escape is written escaped.
  void write_text(const Prompt& prompt, std::uint64_t i, std::string& out) const {
    Rng rng = rng_of(i, 2);
    bool first = true;
    for (std::size_t w = 0; w < prompt.words.size(); ++w) {
      const std::size_t at = out.size();
      out += prompt.words[w];
      if (first && out[at] >= 'a' && out[at] <= 'z') out[at] -= 'a' - 'A';
      const bool last = w + 1 == prompt.words.size();
      const std::uint64_t mark = rng.below(64);
      first = last || mark < 5;
      if (first) out += mark % 4 == 0 ? "?" : ".";
      if (!first && mark < 9) out += mark == 8 ? ":" : ",";
      if (!first && mark == 9) out += " \\\"+\\\"";
      if (!last) out += first && rng.below(4) == 0 ? "\\n" : " ";
    }
  }

  Options options_;
  Zipf common_order_, topic_order_, topic_of_row_;
  std::vector<std::string> common_;
  std::vector<Topic> topics_;
  std::vector<Arm> arms_;
  std::string text_;
};

int make(const Options& options) {
  std::FILE* file = options.out.empty() ? stdout : std::fopen(options.out.c_str(), "wb");
  if (file == nullptr) {
    fmt::print(stderr, "make_outcomes: cannot write {}: {}\n", options.out, std::strerror(errno));
    return 2;
  }
  Maker maker(options);
  std::string lines;
  bool good = true;
  for (std::uint64_t i = 0; i < options.rows && good; ++i) {
    maker.row(i, lines);
    if (lines.size() < (1 << 20) && i + 1 < options.rows) continue;
    good = std::fwrite(lines.data(), 1, lines.size(), file) == lines.size();
    lines.clear();
  }
  if (std::fflush(file) != 0) good = false;
  if (file != stdout && std::fclose(file) != 0) good = false;
  if (good) return 0;
  fmt::print(stderr, "make_outcomes: writing {} failed: {}\n",
             options.out.empty() ? "to standard output" : options.out, std::strerror(errno));
  return 2;
}

}  // namespace
}  // namespace rung

int main(int argc, char** argv) {
  rung::Options options;
  bool good = argc % 2 == 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const auto number = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--rows")
      options.rows = number;
    else if (name == "--arms")
      options.arms = number;
    else if (name == "--topics")
      options.topics = number;
    else if (name == "--most-words")
      options.most_words = std::strtod(argv[i + 1], nullptr);
    else if (name == "--missing")
      options.missing = std::strtod(argv[i + 1], nullptr);
    else if (name == "--seed")
      options.seed = number;
    else if (name == "--out")
      options.out = argv[i + 1];
    else
      good = false;
  }
  if (!good || options.rows == 0 || options.arms == 0 || options.topics == 0 ||
      options.most_words < 20) {
    std::fputs(
        "usage: make_outcomes --rows N [--arms 12] [--topics 24] [--most-words 400] [--missing 0] "
        "[--seed 1] [--out FILE]\n",
        stderr);
    return 2;
  }
  return rung::make(options);
}
