#pragma once
// RouteLLM's classifiers (arXiv 2406.18665, section 4.2; reference code): from the logits that an
// encoder or a language model gives for its labels to s = P(strong beats weak). The networks
// themselves are elsewhere.
//
// Where we differ: logits that are not finite mean that the classifier failed, and failing sends
// the query to the strong model (s = 1); the reference does so only where no label token appears.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace rung::predict {

/// `bert`: labels in the order strong wins, tie, weak wins; a tie counts for the weak model, so s
/// is the first probability of the softmax.
double bert_strong_probability(const std::array<double, 3>& logits);

/// `causal_llm`: logits of the labels [[1]] to [[5]], the predicted quality of the weak model's
/// answer; 4 and 5 are good enough, so s = 1 - (p4 + p5). Without a label: 1.
double causal_strong_probability(const std::optional<std::array<double, 5>>& label_logits);

/// Where in the generated tokens the first label stands: the first id at or above the size of the
/// vocabulary before the labels were added to it; none if no label was generated.
std::optional<std::size_t> first_label(std::span<const std::int64_t> generated,
                                       std::int64_t original_vocabulary);

}  // namespace rung::predict
