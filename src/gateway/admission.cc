#include "gateway/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rung::gateway {
namespace {

using state::LimitKind;
using state::NanoUsd;

// What providers add around the messages: templates, tool instructions. Anthropic adds about 350
// tokens for tools, others less.
constexpr std::int64_t kAround = 1024;
// More than any provider counts for an image at its finest setting but one
// (platform.openai.com/docs/guides/images-vision,
// docs.anthropic.com/en/docs/build-with-claude/vision).
constexpr std::int64_t kTokensPerImage = 16384;
// Audio is at most 32 tokens a second; a second of the thinnest codec is about 2 kB in base64.
constexpr std::int64_t kAudioBytesPerToken = 64;
// A prompt that only the host has, where no window is known.
constexpr std::int64_t kOpenEnded = 1 << 20;

/// How often a body can mean an image, in any dialect; images that are named twice count twice.
std::int64_t images_in(std::string_view body) {
  std::int64_t count = 0;
  for (const std::string_view word : {"\"image\"", "\"image_url\"", "\"input_image\""})
    for (std::size_t at = body.find(word); at != std::string_view::npos;
         at = body.find(word, at + word.size()))
      ++count;
  return count;
}

bool holds(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

std::string amount(LimitKind kind, std::int64_t count) {
  return is_usd(kind) ? fmt::format("{:.6f}", NanoUsd{count}.usd().value) : std::to_string(count);
}

/// "1s", "6m0s": as OpenAI writes times.
std::string time_text(std::chrono::seconds time) {
  const auto s = time.count();
  if (s < 60) return fmt::format("{}s", s);
  return fmt::format("{}m{}s", s / 60, s % 60);
}

}  // namespace

SpendFacts spend_facts(const wire::Request& request, std::string_view body, const Choice& choice) {
  SpendFacts facts;
  facts.max_tokens = request.max_tokens;
  if (request.dialect == wire::Dialect::kEmbeddings) facts.max_tokens = 0;  // vectors are free
  facts.choices = request.choices;
  facts.images = request.has_images && request.images == 0 ? images_in(body) : request.images;
  facts.has_audio = request.has_audio;
  // No token is shorter than a byte, and what JSON writes around a message is longer than what a
  // model's template does: the body bounds the prompt. Media are not text, and are bounded apart.
  const auto bytes = static_cast<std::int64_t>(body.size());
  const auto text = static_cast<std::int64_t>(request.text_bytes);
  facts.prompt_tokens = bytes + kAround;
  if (request.has_images || request.has_audio) {
    facts.prompt_tokens = std::min(bytes, 2 * text) + kAround + facts.images * kTokensPerImage;
    if (request.has_audio) facts.prompt_tokens += bytes / kAudioBytesPerToken;
  }
  facts.writes_cache = holds(body, "\"cache_control\"");
  facts.is_open_ended = holds(body, "\"previous_response_id\"") || holds(body, "\"file_id\"") ||
                        holds(body, "\"file_data\"") || holds(body, "\"file_url\"") ||
                        holds(body, "\"conversation\"");
  for (const ArmOutlook& look : choice.outlook)
    if (look.arm == choice.arm && look.has_tokens)
      facts.likely_answer = look.completion_tokens * static_cast<double>(request.choices);
  if (facts.likely_answer && request.max_tokens)
    facts.likely_answer =
        std::min(*facts.likely_answer, static_cast<double>(*request.max_tokens * request.choices));
  facts.likely_prompt = choice.prompt_tokens;
  facts.likely_tokens =
      choice.prompt_tokens +
      (request.max_tokens ? *request.max_tokens * request.choices
                          : static_cast<std::int64_t>(std::ceil(facts.likely_answer.value_or(0))));
  return facts;
}

std::optional<NanoUsd> most_of(const ModelConfig& model, const SpendFacts& facts,
                               std::int64_t reserve_output_tokens) {
  if (!model.price) return std::nullopt;
  const auto window = model.abilities.context_tokens;
  std::int64_t prompt = facts.is_open_ended ? window.value_or(kOpenEnded) : facts.prompt_tokens;
  if (window) prompt = std::min(prompt, *window);
  std::int64_t answer = reserve_output_tokens;
  if (facts.max_tokens) {
    answer = *facts.max_tokens;
    if (model.max_output_tokens) answer = std::min(answer, *model.max_output_tokens);
  } else if (model.max_output_tokens) {
    answer = *model.max_output_tokens;
  }
  if (window) answer = std::min(answer, *window);
  constexpr std::int64_t kMost = 1'000'000'000'000;  // products stay far from overflow
  answer = std::min(answer, kMost / std::max<std::int64_t>(facts.choices, 1));
  return gateway::most_of(*model.price, CallBound{.prompt_tokens = prompt,
                                                  .completion_tokens = answer * facts.choices,
                                                  .images = facts.images,
                                                  .writes_cache = facts.writes_cache,
                                                  .has_audio = facts.has_audio});
}

Admission::~Admission() {
  for (Part& part : parts_)
    if (part.hold.is_set) part.account->release(part.hold);
}

Error Admission::refuse(const Part& part, const state::Refusal& refusal) {
  const std::string limit = amount(refusal.kind, refusal.limit),
                    used = amount(refusal.kind, refusal.used);
  switch (refusal.kind) {
    case LimitKind::kConcurrent:
      return {ErrorCode::kRateLimited,
              fmt::format("{} has {} requests running, the most that it may have at once", part.who,
                          limit)};
    case LimitKind::kRequests:
    case LimitKind::kTokens:
      return {ErrorCode::kRateLimited,
              fmt::format("{} is limited to {} {}; used {}, and this request needs {}{}", part.who,
                          limit, name(refusal.kind), used, amount(refusal.kind, refusal.wanted),
                          refusal.retry_after
                              ? fmt::format(": try again in {} s", refusal.retry_after->count())
                              : std::string(", which no waiting makes room for"))};
    default:
      break;
  }
  const std::string what = fmt::format(
      "{} has a budget of {} {}, of which {} is spent{}; this request can cost up to {}", part.who,
      limit, name(refusal.kind), used,
      refusal.held > 0 ? fmt::format(" and {} is reserved by running requests",
                                     amount(refusal.kind, refusal.held))
                       : std::string(),
      amount(refusal.kind, refusal.wanted));
  if (refusal.only_held)
    return {ErrorCode::kRateLimited, what + ": try again when some of them have ended"};
  return {ErrorCode::kOverBudget,
          refusal.used < refusal.limit ? what + "; a smaller max_tokens would reserve less" : what};
}

Result<void> Admission::reserve_from(Part part, const state::Ask& ask, std::int64_t wall_us) {
  if (const auto refusal = part.account->reserve(ask, wall_us, part.hold)) {
    const Error error = refuse(part, *refusal);
    retry_after_ = refusal->retry_after;
    may_retry_ = refusal->retry_after.has_value();
    // What the part before it gave goes back: nothing was used.
    for (Part& other : parts_)
      if (other.hold.is_set) other.account->release(other.hold);
    parts_.push_back(std::move(part));  // for its headers
    return error;
  }
  parts_.push_back(std::move(part));
  return {};
}

Result<void> Admission::reserve(const std::shared_ptr<const Key>& key, const KeyRing& ring,
                                const Choice& choice, const wire::Request& request,
                                std::string_view body, const Config& config, std::int64_t wall_us) {
  std::shared_ptr<state::Account> of_route;
  if (choice.route != nullptr && !ring.routes.empty())
    if (const auto found = ring.routes.find(choice.route->name); found != ring.routes.end())
      of_route = found->second;
  if (!key && !of_route) return {};
  reserve_output_tokens_ = config.reserve_output_tokens;
  has_usd_ = (key && key->spec.limits.has_usd()) || (of_route && of_route->limits().has_usd());
  state::Ask ask;
  if (has_usd_ || (key && key->spec.limits.any()) || of_route) {
    facts_ = spend_facts(request, body, choice);
    ask.tokens = facts_.likely_tokens;
    call_most_ = most_of(*choice.model, facts_, reserve_output_tokens_);
    if (has_usd_ && !call_most_)
      return Error{ErrorCode::kForbidden,
                   fmt::format("{} has a budget in dollars, and what {} costs is not known: give "
                               "it a price in the configuration (docs/prices.md)",
                               key ? "key " + key->spec.name : "route " + choice.route->name,
                               choice.model->name),
                   "model"};
    ask.cost = call_most_.value_or(NanoUsd{});
    expect(*choice.model);
  }
  parts_.reserve(2);
  if (key)
    if (auto held = reserve_from({key->account, key->spec.limits.any(), "key " + key->spec.name},
                                 ask, wall_us);
        !held)
      return held;
  if (of_route) return reserve_from({of_route, true, "route " + choice.route->name}, ask, wall_us);
  return {};
}

NanoUsd Admission::charge_of(const state::CallRecord& call) const {
  if (call.cost) return *call.cost;
  // Nobody bills an answer that is an error, nor a connection that gave none.
  if (call.status ? *call.status >= 400 : call.outcome == state::Outcome::kUpstreamError) return {};
  // One that was cut short is charged what it was expected to cost; one that went well without
  // saying what it used, the most.
  const NanoUsd most = call_most_.value_or(NanoUsd{});
  return call.outcome == state::Outcome::kOk ? most : std::min(call_likely_.value_or(most), most);
}

void Admission::expect(const ModelConfig& model) {
  if (!model.price || !facts_.likely_answer) return;
  const auto likely =
      state::nano_usd(Usd{expected_usd(*model.price, facts_.likely_prompt, *facts_.likely_answer)});
  if (likely) call_likely_ = std::max(call_likely_.value_or(NanoUsd{}), *likely);
}

Result<void> Admission::cover(const state::RequestRecord& record, const ModelConfig& model,
                              std::int64_t wall_us) {
  if (parts_.empty() || !has_usd_) return {};
  const auto most = most_of(model, facts_, reserve_output_tokens_);
  if (!most)
    return Error{ErrorCode::kForbidden,
                 fmt::format("{} has a budget in dollars, and what {} costs is not known",
                             parts_[0].who, model.name),
                 "model"};
  NanoUsd all = *most;
  for (const state::CallRecord& call : record.calls) all += charge_of(call);
  for (Part& part : parts_)
    if (part.hold.is_set)
      if (const auto refusal = part.account->extend(part.hold, all, wall_us))
        return refuse(part, *refusal);
  expect(model);
  call_most_ = std::max(call_most_.value_or(NanoUsd{}), *most);
  return {};
}

void Admission::settle(state::RequestRecord& record, std::int64_t wall_us) {
  if (parts_.empty()) return;
  NanoUsd known, charged;
  std::int64_t tokens = 0;
  bool tokens_known = false;
  for (const state::CallRecord& call : record.calls) {
    known += call.cost.value_or(NanoUsd{});
    charged += charge_of(call);
    tokens_known = tokens_known || call.prompt_tokens.has_value();
    tokens += call.prompt_tokens.value_or(0) + call.completion_tokens.value_or(0);
  }
  if (record.calls.empty()) tokens_known = true;
  if (charged != known) record.charged = charged;
  for (Part& part : parts_)
    if (part.hold.is_set)
      part.account->settle(part.hold, charged, tokens_known ? tokens : part.hold.tokens, wall_us);
}

void Admission::add_headers(std::vector<HttpHeader>& headers, std::int64_t wall_us) {
  if (parts_.empty()) return;
  // The tighter account of each kind speaks.
  std::optional<std::int64_t> requests_limit, requests_left, tokens_limit, tokens_left;
  std::chrono::seconds requests_reset{0}, tokens_reset{0};
  std::optional<NanoUsd> usd_left;
  for (const Part& part : parts_) {
    if (!part.has_limits) continue;
    const state::AccountState state = part.account->state(wall_us);
    const auto take = [](const std::optional<std::int64_t>& limit, std::int64_t used,
                         std::chrono::seconds resets, std::optional<std::int64_t>& out_limit,
                         std::optional<std::int64_t>& out_left, std::chrono::seconds& out_reset) {
      if (!limit) return;
      const std::int64_t left = std::max<std::int64_t>(*limit - used, 0);
      if (out_left && *out_left <= left) return;
      out_limit = limit;
      out_left = left;
      out_reset = resets;
    };
    take(state.limits.requests_per_minute, state.minute_requests, state.requests_reset,
         requests_limit, requests_left, requests_reset);
    take(state.limits.tokens_per_minute, state.minute_tokens, state.tokens_reset, tokens_limit,
         tokens_left, tokens_reset);
    const auto left_of = [&](const std::optional<NanoUsd>& limit, NanoUsd spent) {
      if (!limit) return;
      const NanoUsd left{std::max<std::int64_t>((*limit - spent).count, 0)};
      usd_left = usd_left ? std::min(*usd_left, left) : left;
    };
    left_of(state.limits.usd_total, state.spent.total);
    left_of(state.limits.usd_per_month, state.spent.month);
    left_of(state.limits.usd_per_day, state.spent.day);
  }
  values_.clear();
  values_.reserve(9);
  if (requests_left || tokens_left)
    std::erase_if(headers, [](const HttpHeader& header) {
      constexpr std::string_view kPrefix = "x-ratelimit-";
      return same_name(header.name.substr(0, kPrefix.size()), kPrefix);
    });
  const auto add = [&](std::string_view name, std::string value) {
    headers.push_back({name, values_.emplace_back(std::move(value))});
  };
  if (requests_left) {
    add("x-ratelimit-limit-requests", std::to_string(*requests_limit));
    add("x-ratelimit-remaining-requests", std::to_string(*requests_left));
    add("x-ratelimit-reset-requests", time_text(requests_reset));
  }
  if (tokens_left) {
    add("x-ratelimit-limit-tokens", std::to_string(*tokens_limit));
    add("x-ratelimit-remaining-tokens", std::to_string(*tokens_left));
    add("x-ratelimit-reset-tokens", time_text(tokens_reset));
  }
  if (usd_left) add("x-rung-budget-remaining", fmt::format("{:.9f}", usd_left->usd().value));
  if (retry_after_) add("retry-after", std::to_string(retry_after_->count()));
  // The SDKs of OpenAI and Anthropic would try again on 429 whatever Retry-After says.
  if (!may_retry_) add("x-should-retry", "false");
}

}  // namespace rung::gateway
