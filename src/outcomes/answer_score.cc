#include "outcomes/answer_score.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace rung::outcomes {
namespace {

constexpr std::size_t kShort = 64;  // bytes of a text that can be looked for
constexpr std::array<std::string_view, 6> kWords{"yes", "no", "true", "false", "valid", "invalid"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word_char(char c) {
  return is_letter(c) || is_digit(c) || (static_cast<unsigned char>(c) & 0x80) != 0;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

/// What stands in the last \boxed{...}; empty if there is none.
std::string_view boxed(std::string_view text) {
  constexpr std::string_view kBoxed = "\\boxed{";
  const std::size_t at = text.rfind(kBoxed);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + kBoxed.size());
  int depth = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
    if (depth == 0) return text.substr(0, i);
  }
  return {};
}

/// The final answer that a worked solution states; else all of it.
std::string_view final_part(std::string_view text) {
  if (const std::size_t at = text.rfind("####"); at != std::string_view::npos)
    return trimmed(text.substr(at + 4));
  if (const std::string_view inner = boxed(text); !inner.empty()) return trimmed(inner);
  return trimmed(text);
}

/// A number that begins at text[at], with a sign, thousands' commas and decimals; `at` moves behind
/// it.
std::optional<double> number_at(std::string_view text, std::size_t& at) {
  std::string digits;
  std::size_t i = at;
  if (i < text.size() && text[i] == '-') digits += text[i++];
  const std::size_t start = i;
  bool point = false;
  for (; i < text.size(); ++i) {
    const bool digit_next = i + 1 < text.size() && is_digit(text[i + 1]);
    if (is_digit(text[i])) {
      digits += text[i];
    } else if (text[i] == ',' && i > start && digit_next && !point) {
      continue;
    } else if (text[i] == '.' && !point && digit_next) {
      point = true;
      digits += '.';
    } else {
      break;
    }
  }
  if (i == start) return std::nullopt;
  at = i;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// The whole text as a number, with "$" before it and "%" or "." behind it.
std::optional<double> as_number(std::string_view text) {
  if (text.starts_with('$')) text.remove_prefix(1);
  while (text.ends_with('.') || text.ends_with('%')) text.remove_suffix(1);
  std::size_t at = 0;
  const auto value = number_at(text, at);
  return value && at == text.size() ? value : std::nullopt;
}

std::optional<double> last_number(std::string_view text) {
  std::optional<double> last;
  for (std::size_t i = 0; i < text.size();) {
    const bool begins = is_digit(text[i]) && (i == 0 || !is_word_char(text[i - 1]));
    const bool minus = text[i] == '-' && i + 1 < text.size() && is_digit(text[i + 1]) &&
                       (i == 0 || !is_word_char(text[i - 1]));
    std::size_t end = i;
    if ((begins || minus))
      if (const auto value = number_at(text, end)) last = value;
    i = end > i ? end : i + 1;
  }
  return last;
}

/// "B" of "B" and "(B)".
std::optional<char> as_choice(std::string_view text) {
  if (text.size() == 3 && text.front() == '(' && text.back() == ')') text = text.substr(1, 1);
  if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z') return text[0];
  return std::nullopt;
}

bool stands_alone(std::string_view text, std::size_t at) {
  return (at == 0 || !is_word_char(text[at - 1])) &&
         (at + 1 == text.size() || (!is_word_char(text[at + 1]) && text[at + 1] != '\''));
}

/// The letter that an answer settles on: the last that "answer" announces, else the last in
/// brackets, bold or a box, else the one that it begins with.
std::optional<char> choice_of(std::string_view answer) {
  const std::string low = lowered(answer);
  for (std::size_t at = low.rfind("answer"); at != std::string::npos;
       at = at == 0 ? std::string::npos : low.rfind("answer", at - 1)) {
    std::size_t i = at + 6;
    for (const std::size_t end = std::min(answer.size(), i + 40); i < end; ++i) {
      if (answer[i] == '\n' && i > at + 8) break;
      const bool capital = answer[i] >= 'A' && answer[i] <= 'Z';
      if (capital && stands_alone(answer, i)) return answer[i];
    }
  }
  if (const auto inner = as_choice(trimmed(boxed(answer)))) return inner;
  for (std::size_t i = answer.size(); i-- > 0;) {
    if (answer[i] < 'A' || answer[i] > 'Z' || i == 0 || i + 1 == answer.size()) continue;
    if ((answer[i - 1] == '(' && answer[i + 1] == ')') ||
        (answer[i - 1] == '*' && (answer[i + 1] == '*' || answer[i + 1] == '.')))
      return answer[i];
  }
  const std::string_view text = trimmed(answer);
  if (text.empty() || text[0] < 'A' || text[0] > 'Z') return std::nullopt;
  if (text.size() == 1 || std::string_view(".):,\n").find(text[1]) != std::string_view::npos)
    return text[0];
  return std::nullopt;
}

/// Lower case, words with single spaces, without articles.
std::string plain(std::string_view text) {
  std::string out, word;
  const auto end_word = [&] {
    if (!word.empty() && word != "a" && word != "an" && word != "the")
      out += (out.empty() ? "" : " ") + word;
    word.clear();
  };
  for (const char c : text) {
    if (is_word_char(c))
      word += lower(c);
    else
      end_word();
  }
  end_word();
  return out;
}

std::string_view last_line(std::string_view text) {
  text = trimmed(text);
  const std::size_t at = text.rfind('\n');
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

std::string without_space(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) out += c;
  return out;
}

/// The last word of the answer that is one of kWords.
std::string last_word(std::string_view answer) {
  std::string found;
  const std::string text = " " + plain(answer) + " ";
  std::size_t best = 0;
  for (const std::string_view word : kWords) {
    const std::size_t at = text.rfind(" " + std::string(word) + " ");
    if (at == std::string::npos || (at < best && !found.empty())) continue;
    best = at;
    found = word;
  }
  return found;
}

}  // namespace

std::optional<ReferenceKind> reference_kind(std::string_view reference) {
  const std::string_view text = final_part(reference);
  if (text.empty()) return std::nullopt;
  if (as_choice(text)) return ReferenceKind::kChoice;
  if (as_number(text)) return ReferenceKind::kNumber;
  const std::string low = plain(text);
  if (std::find(kWords.begin(), kWords.end(), low) != kWords.end()) return ReferenceKind::kWord;
  // A value in brackets or quotes: its punctuation counts.
  if (std::string_view("[{('\"").find(text[0]) != std::string_view::npos && text.size() > 2 &&
      text.find('\n') == std::string_view::npos && !low.empty())
    return ReferenceKind::kLiteral;
  const bool is_short = text.size() <= kShort && text.find('\n') == std::string_view::npos;
  if (is_short && !low.empty()) return ReferenceKind::kText;
  return std::nullopt;
}

std::optional<double> score_answer(std::string_view reference, std::string_view answer) {
  const auto kind = reference_kind(reference);
  if (!kind) return std::nullopt;
  const std::string_view wanted = final_part(reference);
  switch (*kind) {
    case ReferenceKind::kChoice:
      return choice_of(answer) == as_choice(wanted) ? 1.0 : 0.0;
    case ReferenceKind::kNumber: {
      const auto found = last_number(final_part(answer));
      const double number = *as_number(wanted);
      return found && std::abs(*found - number) <= 1e-6 * std::max(1.0, std::abs(number)) ? 1.0
                                                                                          : 0.0;
    }
    case ReferenceKind::kWord:
      return last_word(answer) == plain(wanted) ? 1.0 : 0.0;
    case ReferenceKind::kLiteral:
      return without_space(last_line(answer)).find(without_space(wanted)) != std::string::npos
                 ? 1.0
                 : 0.0;
    case ReferenceKind::kText: {
      const std::string text = plain(wanted), last = plain(last_line(final_part(answer)));
      return (" " + last + " ").find(" " + text + " ") != std::string::npos || plain(answer) == text
                 ? 1.0
                 : 0.0;
    }
  }
  return std::nullopt;
}

}  // namespace rung::outcomes
