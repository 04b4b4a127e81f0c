#pragma once
// RouteLLM's classifiers, asked of an upstream: what is sent, and what the reply says of the chance
// that the strong arm beats the weak one.
//
//   causal_llm   a model that writes one of five labels, [[1]] to [[5]], the score that it expects
//                of the weak arm's answer. The log probabilities of the labels where the first one
//                stands give P(weak is good) = p4 + p5, and s = 1 - that
//   bert         three classes: strong wins, tie, weak wins. s = the first; a tie counts for weak
//
// Source: Ong et al., RouteLLM (arXiv 2406.18665), section 4.2, and its released code. Where we
// differ: a label that is not among the listed alternatives counts as much as it could for strong
// and as little as it could for weak; a label may be written without its brackets.
// Pure functions; safe from many threads.

#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/classifier_config.h"

namespace rung::gateway {

/// What the classifier reads of a prompt: its end, whole characters, at most 8 KiB (2,048 tokens).
std::string_view classified_part(std::string_view prompt);

/// The body that asks about `prompt`; `model` is the upstream's name.
std::string classifier_request(const ClassifierConfig& config, std::string_view model,
                               std::string_view prompt);

/// The chance that strong beats weak, in [0, 1], from the body of a reply with status 200. Errors:
/// kUpstream with what was found and expected; the caller then takes the strong arm.
Result<double> classifier_score(const ClassifierConfig& config, std::string_view body);

}  // namespace rung::gateway
