#include "gateway/log.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

#include "json/write.h"

namespace rung::gateway {
namespace {

constexpr const char* kRequests = "requests";  // the logger whose lines are members already

std::string_view name(spdlog::level::level_enum level) {
  const auto view = spdlog::level::to_string_view(level);
  return {view.data(), view.size()};
}

/// {"time":"2026-11-25T10:00:00.000Z","level":"info","message":"..."}
class JsonLines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    using namespace std::chrono;
    const auto ms = duration_cast<milliseconds>(message.time.time_since_epoch());
    const sys_time<milliseconds> at{ms};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const hh_mm_ss time{at - day};
    json::Writer w;
    w.begin_object().key("time").string(
        fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    time.hours().count(), time.minutes().count(), time.seconds().count(),
                    time.subseconds().count()));
    w.key("level").string(name(message.level));
    const std::string_view text(message.payload.data(), message.payload.size());
    std::string line;
    if (std::string_view(message.logger_name.data(), message.logger_name.size()) == kRequests) {
      line = w.take() + "," + std::string(text) + "}\n";
    } else {
      w.key("message").string(text).end_object();
      line = w.take() + "\n";
    }
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonLines>();
  }
};

/// Shares the sinks of the default logger, under a name of its own.
spdlog::logger& requests_logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    const auto& sinks = spdlog::default_logger()->sinks();
    return std::make_shared<spdlog::logger>(kRequests, sinks.begin(), sinks.end());
  }();
  return *logger;
}

}  // namespace

void set_log_format(bool json) {
  if (json)
    spdlog::set_formatter(std::make_unique<JsonLines>());
  else
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
}

std::string request_line(const state::RequestRecord& record, std::string_view trace, bool json) {
  state::NanoUsd spent;
  bool known = !record.calls.empty();
  for (const state::CallRecord& call : record.calls) {
    if (call.cost) spent += *call.cost;
    known = known && call.cost.has_value();
  }
  const double total_ms = static_cast<double>(record.total_us) * 1e-3;
  if (!json) {
    return fmt::format(
        "{} {} {} route={} model={} calls={} {:.1f} ms{}{}{}", record.id.view(), record.http_status,
        name(record.outcome), record.route.empty() ? "-" : record.route,
        record.served_model.empty() ? "-" : record.served_model, record.calls.size(), total_ms,
        known ? fmt::format(" {:.9f} USD", spent.usd().value) : std::string(),
        trace.empty() ? std::string() : fmt::format(" trace={}", trace),
        record.error.empty() ? std::string() : ": " + record.error);
  }
  json::Writer w;
  const auto text = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) w.key(key).string(value);
  };
  text("message", "request");
  text("decision_id", record.id.view());
  text("key", record.key_name);
  text("route", record.route);
  text("requested_model", record.requested_model);
  text("model", record.served_model);
  text("arm", record.arm);
  text("outcome", name(record.outcome));
  w.key("status").number(record.http_status).key("calls").number(record.calls.size());
  w.key("streaming").boolean(record.streaming).key("total_ms").number(total_ms);
  if (record.first_byte_us)
    w.key("first_byte_ms").number(static_cast<double>(*record.first_byte_us) * 1e-3);
  if (known) w.key("cost_usd").number(spent.usd().value);
  text("trace_id", trace);
  text("error", record.error);
  return w.take();
}

void log_request(const state::RequestRecord& record, std::string_view trace, bool json) {
  requests_logger().info("{}", request_line(record, trace, json));
}

}  // namespace rung::gateway
