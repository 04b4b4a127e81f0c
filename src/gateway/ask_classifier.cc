#include "gateway/ask_classifier.h"

#include <fmt/format.h>

#include "gateway/classifier.h"
#include "json/value.h"

namespace rung::gateway {
namespace {

constexpr std::size_t kMaxReplyBytes = 4u << 20;

std::int64_t us_since(TimePoint start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               start)
      .count();
}

std::optional<std::int64_t> whole(std::string_view text) {
  const auto value = json::parse(text);
  return value ? value->integer() : std::nullopt;
}

/// Tokens and cost, as far as the provider told them.
void count(const Classifier& classifier, const ClientResponse& response, std::string_view body,
           state::CallRecord& call) {
  wire::Usage usage;
  const auto root = json::parse(body);
  const auto own = root && root->is_object() ? json::find(*root, "usage") : std::nullopt;
  if (auto parsed = own ? wire::parse_usage(*own) : std::nullopt) {
    usage = *std::move(parsed);
  } else {
    usage.prompt_tokens = whole(response.header("x-compute-tokens"));  // text-embeddings-inference
  }
  if (!usage.prompt_tokens) return;
  // A classifier with a head of classes writes nothing.
  if (classifier.config->kind == ClassifierKind::kBert && !usage.completion_tokens)
    usage.completion_tokens = 0;
  call.usage_source = state::UsageSource::kProvider;
  call.usage = usage.raw;
  call.prompt_tokens = usage.prompt_tokens;
  call.completion_tokens = usage.completion_tokens;
  call.cached_tokens = usage.cached_tokens;
  call.reasoning_tokens = usage.reasoning_tokens;
  call.cost = cost_of(*classifier.model, usage);
}

state::Outcome outcome_of(ErrorCode code) {
  return code == ErrorCode::kCancelled ? state::Outcome::kClientGone
         : code == ErrorCode::kTimeout ? state::Outcome::kTimeout
                                       : state::Outcome::kUpstreamError;
}

}  // namespace

Task<Result<Ahead>> ask_classifier(const Serving& serving, const Route& route,
                                   std::string_view prompt, TimePoint arrived,
                                   CancelToken client_gone, state::RequestRecord& record) {
  const Classifier& classifier = *route.classifier;
  const ClassifierConfig& config = *classifier.config;
  const UpstreamConfig& upstream = serving.snapshot->config->upstreams[classifier.model->upstream];
  const std::string body = classifier_request(config, classifier.model->upstream_name, prompt);
  const std::string target = config.kind == ClassifierKind::kBert
                                 ? config.path
                                 : upstream.base_url.path + "/chat/completions";
  const std::string authorization = "Bearer " + upstream.api_key.reveal();
  std::vector<HttpHeader> headers{{"content-type", "application/json"},
                                  {"accept", "application/json"}};
  if (!upstream.api_key.empty()) headers.push_back({"authorization", authorization});
  ClientRequest out;
  out.target = target;
  out.headers = headers;
  out.body = body;

  const std::size_t at = record.calls.size();
  state::CallRecord& made = record.calls.emplace_back();
  made.upstream = upstream.name;
  made.model = classifier.model->upstream_name;
  made.counts_for = classifier.model->name;
  made.step = kClassifyStep;
  made.start_us = us_since(arrived);
  Ahead ahead;
  // How it ended; an empty sentence is a success.
  const auto end = [&](state::Outcome outcome, std::string sentence) {
    state::CallRecord& call = record.calls[at];
    call.outcome = outcome;
    call.end_us = us_since(arrived);
    if (sentence.empty()) return;
    call.error = sentence;
    ahead.failure = fmt::format("the classifier {} (model {}) {}", config.name,
                                classifier.model->name, sentence);
  };
  const auto fail = [&](const Error& error) {
    if (error.code == ErrorCode::kTimeout)
      end(state::Outcome::kTimeout,
          fmt::format("did not answer within {} ms", config.timeout.count()));
    else
      end(outcome_of(error.code), fmt::format("could not be asked: {}", error.message));
    // Nobody was reached: nothing can have been charged.
    if (error.code == ErrorCode::kUnavailable) record.calls[at].cost = state::NanoUsd{0};
  };

  const Deadline deadline{std::chrono::steady_clock::now() + config.timeout};
  ClientPool& pool = *serving.pools[classifier.model->upstream];
  auto response = co_await pool.request(out, client_gone, deadline);
  if (!response) {
    fail(response.error());
    if (response.error().code == ErrorCode::kCancelled) co_return response.error();
    co_return ahead;
  }
  record.calls[at].status = response->status();
  record.calls[at].first_byte_us = us_since(arrived);
  auto reply = co_await response->read_all(kMaxReplyBytes);
  if (!reply) {
    fail(reply.error());
    if (reply.error().code == ErrorCode::kCancelled) co_return reply.error();
    co_return ahead;
  }
  count(classifier, *response, *reply, record.calls[at]);
  if (response->status() != 200) {
    end(state::Outcome::kUpstreamError, fmt::format("answered with status {}", response->status()));
    co_return ahead;
  }
  auto score = classifier_score(config, *reply);
  if (!score) {
    end(state::Outcome::kUpstreamError, fmt::format("gave no score: {}", score.error().message));
    co_return ahead;
  }
  end(state::Outcome::kOk, {});
  ahead.win_chance = *score;
  co_return ahead;
}

}  // namespace rung::gateway
