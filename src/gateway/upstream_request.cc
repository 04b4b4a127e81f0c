#include "gateway/upstream_request.h"

#include <algorithm>

#include "gateway/headers.h"
#include "wire/exchange.h"

namespace rung::gateway {
namespace {

constexpr std::string_view kAnthropicVersion = "2023-06-01";

bool starts_with_name(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && same_name(name.substr(0, prefix.size()), prefix);
}

/// Headers that mean something in one dialect only.
void adapt_headers(wire::Dialect client, wire::Dialect upstream, UpstreamRequest& out) {
  if (client != upstream)
    std::erase_if(out.headers, [&](const HttpHeader& header) {
      if (same_name(header.name, "anthropic-beta")) out.form.dropped.emplace_back("anthropic-beta");
      return starts_with_name(header.name, "anthropic-") ||
             starts_with_name(header.name, "openai-") || same_name(header.name, "accept");
    });
  if (upstream != wire::Dialect::kMessages) return;
  const bool has_version = std::any_of(
      out.headers.begin(), out.headers.end(),
      [](const HttpHeader& header) { return same_name(header.name, "anthropic-version"); });
  if (!has_version) out.headers.push_back({"anthropic-version", kAnthropicVersion});
}

std::string target_of(const UpstreamConfig& upstream, wire::Dialect dialect, std::string_view query,
                      bool same) {
  std::string target = upstream.base_url.path;
  // Anthropic's clients name the host alone.
  if (target.empty() && upstream.dialect == "anthropic") target = "/v1";
  target.append(endpoint(dialect));
  if (same && dialect == wire::Dialect::kMessages && query == "beta=true")
    target.append("?beta=true");
  return target;
}

}  // namespace

wire::Dialect dialect_toward(const UpstreamConfig& upstream, wire::Dialect client) {
  const auto speaks = [&](std::string_view dialect) {
    return upstream.dialect == dialect ||
           std::find(upstream.also_speaks.begin(), upstream.also_speaks.end(), dialect) !=
               upstream.also_speaks.end();
  };
  switch (client) {
    case wire::Dialect::kChat:
      if (speaks("openai")) return client;
      break;
    case wire::Dialect::kMessages:
      if (speaks("anthropic")) return client;
      break;
    case wire::Dialect::kResponses:
      if (speaks("responses")) return client;
      break;
    case wire::Dialect::kEmbeddings:
      if (speaks("openai")) return client;
      break;
  }
  return upstream.dialect == "anthropic" ? wire::Dialect::kMessages : wire::Dialect::kChat;
}

Result<void> make_upstream_request(const HttpRequestHead& head, std::string_view body,
                                   const wire::Request& request, const ModelConfig& model,
                                   std::string_view effort, const UpstreamConfig& upstream,
                                   UpstreamRequest& out) {
  const wire::Dialect dialect = dialect_toward(upstream, request.dialect);
  const wire::Target target{
      .dialect = dialect,
      .model = model.upstream_name,
      .effort = effort,
      .efforts = model.efforts,
      .max_output = model.max_output,
      .thinking = model.thinking == "budget" ? wire::Thinking::kBudget : wire::Thinking::kAdaptive,
      .max_completion_tokens = upstream.max_completion_tokens,
      .system_anywhere = upstream.system_anywhere,
      .takes_reasoning = upstream.takes_reasoning};
  auto made = wire::make_outgoing(request, body, target);
  if (!made) return made.error();
  out.body = std::move(made->body);
  out.form = {
      .dialect = dialect, .hide_usage = made->hide_usage, .dropped = std::move(made->dropped)};
  out.target = target_of(upstream, dialect, head.query, dialect == request.dialect);
  out.headers.clear();
  out.headers.reserve(16);
  request_headers(head.headers, upstream, out.authorization, out.headers);
  adapt_headers(request.dialect, dialect, out);
  return {};
}

}  // namespace rung::gateway
