#include "gateway/health_checks.h"

#include <spdlog/spdlog.h>

#include "gateway/headers.h"
#include "gateway/worker.h"

namespace rung::gateway {
namespace {

/// Whether the host answers in time with a status that says so.
Task<bool> is_well(Worker& worker, const Serving& serving, std::size_t index, CancelToken stop) {
  const UpstreamConfig& upstream = serving.snapshot->config->upstreams[index];
  const HttpHeaders none;
  std::string authorization;
  std::vector<HttpHeader> headers;
  request_headers(none, upstream, authorization, headers);
  ClientRequest request;
  request.method = "GET";
  request.target = upstream.resilience.health.path;
  request.headers = headers;
  const Deadline deadline{worker.loop().now() + upstream.resilience.health.timeout};
  auto response = co_await serving.pools[index]->request(request, stop, deadline);
  if (!response) co_return false;
  constexpr std::size_t kMostBytes = 1u << 20;
  const int status = response->status();
  auto body = co_await response->read_all(kMostBytes);
  co_return body.has_value() && status < 400;
}

Task<void> check(Worker& worker, std::shared_ptr<const Serving> serving, std::size_t index,
                 std::shared_ptr<CancelSource> stop) {
  const UpstreamConfig& upstream = serving->snapshot->config->upstreams[index];
  const auto down = worker.shared().metrics.resilience().down(upstream.name);
  upstream::Health health;
  if (down->load(std::memory_order_relaxed)) {  // as it was before the reload
    const upstream::HealthConfig at_once{.path = {}, .fall = 1};
    health.report(at_once, false);
  }
  while (!stop->cancelled()) {
    const bool good = co_await is_well(worker, *serving, index, stop->token());
    if (stop->cancelled()) co_return;
    if (health.report(upstream.resilience.health, good)) {
      down->store(!good, std::memory_order_relaxed);
      if (good)
        spdlog::info("upstream {} is up again", upstream.name);
      else
        spdlog::warn("upstream {} is down: {} checks of {} failed in a row", upstream.name,
                     upstream.resilience.health.fall, upstream.resilience.health.path);
    }
    auto slept =
        co_await worker.loop().sleep_for(upstream.resilience.health.interval, stop->token());
    if (!slept) co_return;
  }
}

}  // namespace

void start_health_checks(Worker& worker, std::shared_ptr<CancelSource>& running) {
  if (running) running->cancel();
  running = std::make_shared<CancelSource>();
  const auto serving = worker.serving();
  const auto& upstreams = serving->snapshot->config->upstreams;
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    if (!upstreams[i].resilience.health.path.empty()) {
      worker.loop().spawn(check(worker, serving, i, running));
    } else {
      worker.shared().metrics.resilience().down(upstreams[i].name)->store(false);
    }
  }
}

}  // namespace rung::gateway
