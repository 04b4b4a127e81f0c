#include "gateway/admin_keys.h"

#include <fmt/format.h>

#include <map>

#include "json/write.h"
#include "net/url.h"

namespace rung::gateway {
namespace {

constexpr std::string_view kKeys = "/api/keys", kOneKey = "/api/keys/";
constexpr std::int64_t kDefaultDays = 31, kMostDays = 4000;

AdminReply error_reply(int status, std::string_view message, std::string_view field = {}) {
  json::Writer w;
  w.begin_object().key("error").begin_object().key("message").string(message);
  if (!field.empty()) w.key("field").string(field);
  w.end_object().end_object();
  return {status, "application/json", w.take()};
}

AdminReply error_reply(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidJson:
    case ErrorCode::kUnsupported:
      return error_reply(400, error.message, error.field);
    case ErrorCode::kNotFound:
      return error_reply(404, error.message, error.field);
    default:
      return error_reply(503, error.message);
  }
}

Result<json::Value> parse_object(std::string_view body) {
  auto root = json::parse(body);
  if (!root) return root.error().with("the request body is not valid JSON");
  if (!root->is_object())
    return Error{ErrorCode::kInvalidArgument,
                 "the request body must be an object, such as "
                 "{\"name\": \"alice\"}"};
  return root;
}

void write_state(const state::AccountState& state, json::Writer& w) {
  w.key("spent_usd")
      .begin_object()
      .key("day")
      .number(state.spent.day.usd().value)
      .key("month")
      .number(state.spent.month.usd().value)
      .key("total")
      .number(state.spent.total.usd().value)
      .end_object();
  w.key("reserved_usd").number(state.held.usd().value);
  w.key("running").number(state.running);
  w.key("minute_requests").number(state.minute_requests);
  w.key("minute_tokens").number(state.minute_tokens);
}

std::string parameter(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == key && equals != std::string_view::npos)
      return percent_decoded(pair.substr(equals + 1));
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  }
  return {};
}

std::string date_text(std::int64_t day) {
  return state::time_text(day * 86'400'000'000).substr(0, 10);
}

}  // namespace

bool KeysApi::owns(std::string_view path) {
  return path == kKeys || path.starts_with(kOneKey) || path == "/api/budgets" ||
         path == "/api/spend";
}

AdminReply KeysApi::handle(std::string_view method, std::string_view path, std::string_view query,
                           std::string_view body) const {
  if (path == kKeys) {
    if (method == "GET") return list();
    if (method == "POST") return create(body);
    return error_reply(405, "/api/keys takes GET, and POST for a new key");
  }
  if (path.starts_with(kOneKey)) {
    const std::string name = percent_decoded(path.substr(kOneKey.size()));
    if (method == "PATCH") return change(name, body);
    if (method == "DELETE") return revoke(name);
    return error_reply(405, "a key takes PATCH for its rights, and DELETE to revoke it");
  }
  if (method != "GET") return error_reply(405, "this question takes GET");
  return path == "/api/budgets" ? budgets() : spend(query);
}

AdminReply KeysApi::list() const {
  json::Writer w;
  w.begin_object().key("keys").begin_array();
  for (const Keys::Listed& item : keys_.list()) {
    w.begin_object().key("name").string(item.spec.name).key("shown").string(item.spec.shown);
    w.key("source").string(item.from_config ? "configuration" : "store");
    if (item.spec.created_us > 0) w.key("created").string(state::time_text(item.spec.created_us));
    if (item.spec.revoked_us) w.key("revoked").string(state::time_text(*item.spec.revoked_us));
    state::write_rights(item.spec, w);
    write_state(item.state, w);
    w.end_object();
  }
  w.end_array().end_object();
  return {200, "application/json", w.take()};
}

AdminReply KeysApi::create(std::string_view body) const {
  const auto root = parse_object(body);
  if (!root) return error_reply(root.error());
  state::KeySpec spec;
  const auto name = json::find(*root, "name");
  if (!name || !name->is_string())
    return error_reply(400, "name is missing; expected a text such as \"alice\"", "name");
  spec.name = name->text();
  if (auto read = state::read_rights(*root, {"name"}, spec); !read)
    return error_reply(read.error());
  const auto key = keys_.create(std::move(spec));
  if (!key) return error_reply(key.error());
  json::Writer w;
  w.begin_object().key("name").string(name->text()).key("key").string(*key);
  w.key("note").string("this is the only time that the key is shown").end_object();
  return {201, "application/json", w.take()};
}

AdminReply KeysApi::change(const std::string& name, std::string_view body) const {
  const auto root = parse_object(body);
  if (!root) return error_reply(root.error());
  const auto changed =
      keys_.update(name, [&](state::KeySpec& spec) { return state::read_rights(*root, {}, spec); });
  if (!changed) return error_reply(changed.error());
  return {200, "application/json", R"({"changed":true})"};
}

AdminReply KeysApi::revoke(const std::string& name) const {
  if (const auto revoked = keys_.revoke(name); !revoked) return error_reply(revoked.error());
  return {200, "application/json", R"({"revoked":true})"};
}

AdminReply KeysApi::budgets() const {
  json::Writer w;
  w.begin_object().key("budgets").begin_array();
  const auto write = [&](std::string_view scope, const std::string& name,
                         const state::AccountState& state) {
    if (!state.limits.any()) return;
    w.begin_object().key("scope").string(scope).key("name").string(name).key("limits");
    state::write_limits(state.limits, w);
    write_state(state, w);
    w.end_object();
  };
  for (const Keys::Listed& item : keys_.list())
    if (!item.spec.revoked_us) write("key", item.spec.name, item.state);
  for (const auto& [name, state] : keys_.routes()) write("route", name, state);
  w.end_array().end_object();
  return {200, "application/json", w.take()};
}

AdminReply KeysApi::spend(std::string_view query) const {
  const std::string by = parameter(query, "by"), days_text = parameter(query, "days");
  if (!by.empty() && by != "key" && by != "route" && by != "key_day" && by != "route_day")
    return error_reply(400, "parameter by is not one of key, route, key_day, route_day");
  std::int64_t days = kDefaultDays;
  if (!days_text.empty()) {
    const auto value = json::Value{days_text}.integer();
    if (!value || *value < 1 || *value > kMostDays)
      return error_reply(400,
                         fmt::format("parameter days is not a number from 1 to {}", kMostDays));
    days = *value;
  }
  const std::int64_t today = state::day_of(clock_.wall_us());
  const auto rows = state::read_spend(ledger_.reader_path(), today - days + 1, today + 1);
  if (!rows) return error_reply(rows.error());
  const bool by_day = by.ends_with("_day");
  const std::string_view scope = by.starts_with("route") ? "route" : "key";
  std::map<std::pair<std::string, std::int64_t>, state::SpendRow> sums;
  for (const state::SpendRow& row : *rows) {
    if (row.scope != scope) continue;
    state::SpendRow& sum = sums[{row.name, by_day ? row.day : 0}];
    sum.requests += row.requests;
    sum.prompt_tokens += row.prompt_tokens;
    sum.completion_tokens += row.completion_tokens;
    sum.spent += row.spent;
    sum.charged += row.charged;
    sum.cost_unknown += row.cost_unknown;
  }
  json::Writer w;
  w.begin_object().key("since").string(date_text(today - days + 1)).key("spend").begin_array();
  for (const auto& [id, sum] : sums) {
    w.begin_object().key("name").string(id.first);
    if (by_day) w.key("day").string(date_text(id.second));
    w.key("requests").number(sum.requests).key("prompt_tokens").number(sum.prompt_tokens);
    w.key("completion_tokens").number(sum.completion_tokens);
    w.key("spent_usd").number(sum.spent.usd().value);
    w.key("charged_usd").number(sum.charged.usd().value);
    w.key("cost_unknown").number(sum.cost_unknown).end_object();
  }
  w.end_array().end_object();
  return {200, "application/json", w.take()};
}

}  // namespace rung::gateway
