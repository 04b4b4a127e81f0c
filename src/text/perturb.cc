#include "text/perturb.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"

namespace rung::text {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

std::string other_case(std::string_view text, Rng& rng) {
  std::string out(text);
  const bool capitals = rng.below(4) == 0;
  for (char& c : out) c = capitals ? upper(c) : lower(c);
  return out;
}

struct Word {
  std::size_t begin, size;
};

/// Runs of letters that stand between spaces or plain punctuation: no part of a name in code, of a
/// number or of a formula.
std::vector<Word> plain_words(std::string_view text) {
  constexpr std::string_view kAround = " \n\t.,;:?!\"'()";
  std::vector<Word> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_letter(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_letter(text[end])) ++end;
    const bool open = i == 0 || kAround.find(text[i - 1]) != std::string_view::npos;
    const bool shut = end == text.size() || kAround.find(text[end]) != std::string_view::npos;
    if (open && shut && end - i >= 4) words.push_back({i, end - i});
    i = end;
  }
  return words;
}

std::string typos(std::string_view text, Rng& rng) {
  std::vector<Word> words = plain_words(text);
  if (words.empty()) return std::string(text);
  rng.shuffle(std::span(words));
  words.resize(std::max<std::size_t>(1, words.size() / 15));
  // From the end, so that places before stay where they are.
  std::sort(words.begin(), words.end(),
            [](const Word& a, const Word& b) { return a.begin > b.begin; });
  std::string out(text);
  for (const Word& word : words) {
    const std::size_t at = word.begin + 1 + rng.below(word.size - 2);
    // Two equal letters cannot be swapped: one of them goes.
    switch (out[at] == out[at + 1] ? 1 : rng.below(3)) {
      case 0:
        std::swap(out[at], out[at + 1]);
        break;
      case 1:
        out.erase(at, 1);
        break;
      default:
        out.insert(at, 1, out[at]);
    }
  }
  return out;
}

std::string white_space(std::string_view text, Rng& rng) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // The indentation of code has a meaning: only a single space between two words is doubled.
    const bool between =
        c == ' ' && i > 0 && i + 1 < text.size() && text[i - 1] > ' ' && text[i + 1] > ' ';
    if (between && rng.below(6) == 0) out.push_back(' ');
    if (c == '\n' && rng.below(2) == 0) out.append("  ");
    out.push_back(c);
    if (c == '\n' && rng.below(4) == 0) out.push_back('\n');
  }
  return rng.below(2) == 0 ? "\n" + out + "\n" : out + "  ";
}

std::string filler(std::string_view text, Rng& rng) {
  constexpr std::string_view kSentences[] = {
      "I hope you are doing well today.", "Thank you in advance for your help.",
      "I have been thinking about this for a while.", "Please take your time with this one.",
      "This came up in a conversation with a friend."};
  const std::string sentence(kSentences[rng.below(std::size(kSentences))]);
  return rng.below(2) == 0 ? sentence + "\n\n" + std::string(text)
                           : std::string(text) + "\n\n" + sentence;
}

std::string paraphrase(std::string_view text, Rng& rng) {
  struct Frame {
    std::string_view before, after;
  };
  constexpr Frame kFrames[] = {{"Could you help me with the following?\n\n", ""},
                               {"Here is what I would like you to answer:\n\n", ""},
                               {"I need an answer to this:\n\n", "\n\nWhat would you reply?"},
                               {"", "\n\nPlease answer the above."},
                               {"Consider the request below and respond to it.\n\n", ""}};
  const Frame& frame = kFrames[rng.below(std::size(kFrames))];
  return std::string(frame.before).append(text).append(frame.after);
}

/// A line "A. text", "A) text", "A: text" or "(A) text"; letter 0 if it is none.
struct Option {
  char letter = 0;
  std::size_t text = 0, end = 0;  // of the text, in the whole
};

Option option_at(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t i = begin;
  while (i < end && (text[i] == ' ' || text[i] == '\t')) ++i;
  const bool bracket = i < end && text[i] == '(';
  if (bracket) ++i;
  if (i + 2 >= end || text[i] < 'A' || text[i] > 'Z') return {};
  const char mark = text[i + 1];
  if (bracket ? mark != ')' : mark != '.' && mark != ')' && mark != ':') return {};
  if (text[i + 2] != ' ' && text[i + 2] != '\t') return {};
  const char letter = text[i];
  i += 2;
  while (i < end && (text[i] == ' ' || text[i] == '\t')) ++i;
  return i < end ? Option{letter, i, end} : Option{};
}

/// The last run of lines that count A, B, C, ... (a text may hold examples before its question).
std::vector<Option> last_options(std::string_view text) {
  std::vector<Option> run, last;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const Option option = option_at(text, begin, end);
    if (option.letter == 'A') run.clear();
    if (option.letter != 0 && option.letter == static_cast<char>('A' + run.size())) {
      run.push_back(option);
      if (run.size() >= 2) last = run;
    } else if (end > begin) {
      run.clear();
    }
    begin = end + 1;
  }
  return last;
}

std::string other_order(std::string_view text, Rng& rng) {
  const std::vector<Option> options = last_options(text);
  if (options.size() < 2) return std::string(text);
  std::vector<std::size_t> order(options.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  rng.shuffle(std::span(order));
  if (std::is_sorted(order.begin(), order.end()))
    std::rotate(order.begin(), order.begin() + 1, order.end());
  std::string out;
  std::size_t at = 0;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Option& from = options[order[i]];
    out.append(text.substr(at, options[i].text - at));
    out.append(text.substr(from.text, from.end - from.text));
    at = options[i].end;
  }
  return out.append(text.substr(at));
}

}  // namespace

std::string_view name(Perturbation kind) {
  switch (kind) {
    case Perturbation::kCase:
      return "case";
    case Perturbation::kTypos:
      return "typos";
    case Perturbation::kWhiteSpace:
      return "white_space";
    case Perturbation::kFiller:
      return "filler";
    case Perturbation::kParaphrase:
      return "paraphrase";
    case Perturbation::kOptions:
      return "options";
  }
  return "unknown";
}

std::string perturb(std::string_view text, Perturbation kind, std::uint64_t seed) {
  Rng rng(mix64(seed ^ mix64(static_cast<std::uint64_t>(kind) + 1)) ^ hash64(text));
  switch (kind) {
    case Perturbation::kCase:
      return other_case(text, rng);
    case Perturbation::kTypos:
      return typos(text, rng);
    case Perturbation::kWhiteSpace:
      return white_space(text, rng);
    case Perturbation::kFiller:
      return filler(text, rng);
    case Perturbation::kParaphrase:
      return paraphrase(text, rng);
    case Perturbation::kOptions:
      return other_order(text, rng);
  }
  RUNG_CHECK(false, "a perturbation without a rule");
  return {};
}

}  // namespace rung::text
