#include "gateway/upstream_request.h"

#include "gateway/headers.h"
#include "wire/openai_chat.h"

namespace rung::gateway {

wire::Dialect dialect_toward(const UpstreamConfig&, wire::Dialect) { return wire::Dialect::kChat; }

Result<void> make_upstream_request(const HttpRequestHead& head, std::string_view body,
                                   const wire::Request& request, const ModelConfig& model,
                                   std::string_view effort, const UpstreamConfig& upstream,
                                   UpstreamRequest& out) {
  out.form = {};
  out.form.dialect = dialect_toward(upstream, request.dialect);
  out.target = upstream.base_url.path;
  out.target.append(endpoint(out.form.dialect));
  out.headers.clear();
  out.headers.reserve(16);
  request_headers(head.headers, upstream, out.authorization, out.headers);
  out.form.hide_usage = request.stream && !request.wants_usage;
  const wire::ChatEdits edits{.model = request.model == model.upstream_name
                                           ? std::string_view()
                                           : std::string_view(model.upstream_name),
                              .effort = effort,
                              .ask_usage = out.form.hide_usage};
  out.body = edit_chat_request(request, body, edits);
  return {};
}

}  // namespace rung::gateway
