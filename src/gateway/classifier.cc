#include "gateway/classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "json/value.h"
#include "json/write.h"

namespace rung::gateway {
namespace {

constexpr std::size_t kMostBytes = 8192;
constexpr std::size_t kLabels = 5, kGoodFrom = 4;  // labels 4 and 5 say that weak is good enough
constexpr double kUnseen = -std::numeric_limits<double>::infinity();

Error bad(std::string sentence) { return {ErrorCode::kUpstream, std::move(sentence)}; }

/// The label that a token is, 1 to 5: "[[4]]", or "4" of a model without such tokens.
std::optional<std::size_t> label_of(std::string_view token) {
  const std::size_t first = token.find_first_not_of(" [\n\t");
  if (first == std::string_view::npos) return std::nullopt;
  token.remove_prefix(first);
  token.remove_suffix(token.size() - 1 - token.find_last_not_of(" ]\n\t"));
  if (token.size() != 1 || token[0] < '1' || token[0] > '5') return std::nullopt;
  return static_cast<std::size_t>(token[0] - '0');
}

double log_sum(double a, double b) {
  if (a < b) std::swap(a, b);
  return std::isfinite(b) ? a + std::log1p(std::exp(b - a)) : a;
}

/// s from the alternatives at the place of the first label.
Result<double> score_at(json::Value place) {
  const auto listed = json::find(place, "top_logprobs");
  if (!listed || !listed->is_array())
    return bad("the label comes without top_logprobs; expected those of all five labels");
  std::array<double, kLabels + 1> logit;
  logit.fill(kUnseen);
  double least = 0;
  bool any = false;
  for (const json::Value item : json::elements(*listed)) {
    if (!item.is_object()) continue;
    const auto token = json::find(item, "token"), value = json::find(item, "logprob");
    const auto logprob = value ? value->number() : std::nullopt;
    if (!token || !token->is_string() || !logprob || !std::isfinite(*logprob)) continue;
    least = std::min(least, *logprob);
    if (const auto label = label_of(token->text())) {
      logit[*label] = log_sum(logit[*label], *logprob);
      any = true;
    }
  }
  if (!any) return bad("none of the labels [[1]] to [[5]] is among the top_logprobs");
  double good = kUnseen, poor = kUnseen;
  for (std::size_t label = 1; label <= kLabels; ++label) {
    double& side = label >= kGoodFrom ? good : poor;
    // What is not listed is at most as likely as the last that is.
    const double most = label >= kGoodFrom ? kUnseen : least;
    side = log_sum(side, std::isfinite(logit[label]) ? logit[label] : most);
  }
  return std::isfinite(good) ? 1 / (1 + std::exp(good - poor)) : 1.0;
}

Result<double> causal_score(json::Value root) {
  const auto choices = json::find(root, "choices");
  if (choices && choices->is_array())
    for (const json::Value choice : json::elements(*choices)) {
      const auto logprobs = choice.is_object() ? json::find(choice, "logprobs") : std::nullopt;
      const auto content =
          logprobs && logprobs->is_object() ? json::find(*logprobs, "content") : std::nullopt;
      if (!content || !content->is_array())
        return bad("the reply has no logprobs.content; expected an upstream that gives logprobs");
      for (const json::Value place : json::elements(*content)) {
        const auto token = place.is_object() ? json::find(place, "token") : std::nullopt;
        if (token && token->is_string() && label_of(token->text())) return score_at(place);
      }
      return bad("the reply holds none of the labels [[1]] to [[5]]");
    }
  return bad("the reply has no choices");
}

/// The number at the end of LABEL_2, or of 2.
std::optional<std::size_t> class_of(std::string_view label) {
  if (label.empty() || label.back() < '0' || label.back() > '2') return std::nullopt;
  if (label.size() > 1 && label[label.size() - 2] >= '0' && label[label.size() - 2] <= '9')
    return std::nullopt;
  return static_cast<std::size_t>(label.back() - '0');
}

/// Probabilities of strong wins, tie, weak wins.
Result<double> first_of(const std::array<std::optional<double>, 3>& p) {
  double sum = 0;
  for (const auto& one : p) {
    if (!one || !(*one >= 0 && *one <= 1))
      return bad(
          "the reply has no three probabilities; expected those of the classes strong wins, "
          "tie, weak wins");
    sum += *one;
  }
  if (std::abs(sum - 1) > 0.01)
    return bad(fmt::format("the probabilities add up to {:.3f}; expected 1", sum));
  return std::clamp(1 - (*p[1] + *p[2]) / sum, 0.0, 1.0);
}

Result<double> bert_score(json::Value root) {
  std::array<std::optional<double>, 3> p;
  // {"data": [{"probs": [...]}]} of vLLM and SGLang: in the order of the classes.
  if (root.is_object()) {
    const auto data = json::find(root, "data");
    if (!data || !data->is_array()) return bad("the reply has no data");
    for (const json::Value item : json::elements(*data)) {
      const auto probs = item.is_object() ? json::find(item, "probs") : std::nullopt;
      if (!probs || !probs->is_array()) return bad("the reply has no probs");
      std::size_t at = 0;
      for (const json::Value value : json::elements(*probs)) {
        if (at == p.size()) return bad("the reply has more than three classes; expected three");
        p[at++] = value.number();
      }
      return first_of(p);
    }
    return bad("the reply has no data");
  }
  // [{"label": "LABEL_0", "score": 0.7}, ...] of text-embeddings-inference: the likeliest first.
  if (root.is_array())
    for (const json::Value item : json::elements(root)) {
      const auto label = item.is_object() ? json::find(item, "label") : std::nullopt;
      const auto score = item.is_object() ? json::find(item, "score") : std::nullopt;
      const auto at = label && label->is_string() ? class_of(label->text()) : std::nullopt;
      if (!at || !score || p[*at])
        return bad(
            "the reply has other classes than LABEL_0, LABEL_1 and LABEL_2 (strong wins, "
            "tie, weak wins)");
      p[*at] = score->number();
    }
  return first_of(p);
}

}  // namespace

std::string_view classified_part(std::string_view prompt) {
  if (prompt.size() <= kMostBytes) return prompt;
  prompt.remove_prefix(prompt.size() - kMostBytes);
  while (!prompt.empty() && (static_cast<unsigned char>(prompt.front()) & 0xC0) == 0x80)
    prompt.remove_prefix(1);
  return prompt;
}

std::string classifier_request(const ClassifierConfig& config, std::string_view model,
                               std::string_view prompt) {
  prompt = classified_part(prompt);
  json::Writer w;
  w.begin_object();
  if (config.kind == ClassifierKind::kBert) {
    // Each server reads its own names and passes over the other's.
    if (config.path.ends_with("/predict"))
      w.key("inputs").string(prompt).key("truncate").boolean(true);
    else
      w.key("model").string(model).key("input").string(prompt);
    return w.end_object().take();
  }
  std::string question = config.question;
  if (const std::size_t at = question.find("{prompt}"); at != std::string::npos)
    question.replace(at, std::string_view("{prompt}").size(), prompt);
  w.key("model").string(model).key("messages").begin_array();
  w.begin_object().key("role").string("system").key("content").string(config.instructions);
  w.end_object();
  w.begin_object().key("role").string("user").key("content").string(question).end_object();
  w.end_array().key("temperature").number(0).key("max_tokens").number(6);
  w.key("logprobs").boolean(true).key("top_logprobs").number(config.top_logprobs);
  return w.end_object().take();
}

Result<double> classifier_score(const ClassifierConfig& config, std::string_view body) {
  const auto root = json::parse(body);
  if (!root) return bad(fmt::format("the reply is not valid JSON: {}", root.error().message));
  if (config.kind == ClassifierKind::kBert) return bert_score(*root);
  if (!root->is_object()) return bad("the reply is no object");
  return causal_score(*root);
}

}  // namespace rung::gateway
