#pragma once
// Scores an answer against a reference by rule, where a rule will do: letters of multiple choice,
// numbers, and short texts. What needs a judge (a long reference, code, tests) has no score here.
//
//   "B", "(B)"                the letter that the answer settles on
//   "18", "$1,234.50", "... #### 18", "\boxed{18}"    the last number of the answer, equal to 1e-6
//   "yes", "False", "invalid" the last such word of the answer
//   [1, 'a'], {"k": 2}, 'abc'    the answer's last line has it, white space aside
//   other text, one line, at most 64 bytes    it is the answer's last line, or stands there as
//   words
//
// Rules are crude: an answer in another form than they expect counts as wrong. Pure functions.

#include <optional>
#include <string_view>

namespace rung::outcomes {

enum class ReferenceKind { kChoice, kNumber, kWord, kLiteral, kText };

/// Empty: no rule knows what such a reference asks for.
std::optional<ReferenceKind> reference_kind(std::string_view reference);

/// 1 or 0; empty where reference_kind is.
std::optional<double> score_answer(std::string_view reference, std::string_view answer);

}  // namespace rung::outcomes
