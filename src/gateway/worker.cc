#include "gateway/worker.h"

#include "gateway/health_checks.h"

namespace rung::gateway {
namespace {

bool same_host(const UpstreamConfig& a, const UpstreamConfig& b) {
  return a.base_url.tls == b.base_url.tls && a.base_url.host == b.base_url.host &&
         a.base_url.port == b.base_url.port && a.connect_timeout == b.connect_timeout &&
         a.max_connections == b.max_connections;
}

upstream::HostConfig host_config(const UpstreamConfig& upstream) {
  return {.breaker = upstream.resilience.breaker,
          .ejection = upstream.resilience.ejection,
          .most_in_flight = upstream.max_connections + upstream.resilience.max_waiting};
}

}  // namespace

Worker::Worker(Shared& shared, std::size_t index)
    : shared_(shared), index_(index), keys_(shared.keys) {}

void Worker::serve(std::shared_ptr<const Snapshot> snapshot) {
  auto serving = std::make_shared<Serving>();
  ResilienceMetrics& metrics = shared_.metrics.resilience();
  for (const UpstreamConfig& upstream : snapshot->config->upstreams) {
    std::shared_ptr<ClientPool> pool;
    std::shared_ptr<upstream::Host> host;
    if (serving_) {
      const auto& before = serving_->snapshot->config->upstreams;
      for (std::size_t i = 0; i < before.size(); ++i) {
        if (!same_host(before[i], upstream)) continue;
        if (!pool) pool = serving_->pools[i];
        if (before[i].name == upstream.name) host = serving_->hosts[i];
      }
    }
    if (!pool) {
      pool =
          std::make_shared<ClientPool>(loop_, upstream.base_url,
                                       ClientOptions{.tls = shared_.tls,
                                                     .connect_timeout = upstream.connect_timeout,
                                                     .max_connections = upstream.max_connections});
    }
    if (host) {
      host->configure(host_config(upstream));
    } else {
      host = std::make_shared<upstream::Host>(
          host_config(upstream), metrics.watch(index_, upstream.name), metrics.down(upstream.name));
    }
    serving->pools.push_back(std::move(pool));
    serving->hosts.push_back(std::move(host));
  }
  for (const ModelConfig& model : snapshot->config->models) {
    std::shared_ptr<ModelState> state;
    if (serving_) {
      const auto& before = serving_->snapshot->config->models;
      for (std::size_t i = 0; i < before.size() && !state; ++i)
        if (before[i].name == model.name) state = serving_->models[i];
    }
    if (!state) state = std::make_shared<ModelState>();
    state->retries.configure(snapshot->config->resilience.retry_budget);
    state->hedges.configure(
        {.share = model.hedge.share, .per_second = 0, .at_first = 1, .most = 10});
    serving->models.push_back(std::move(state));
  }
  for (const auto& route : snapshot->routes)
    serving->live_shares.push_back(
        shared_.live_shares != nullptr ? shared_.live_shares->cell(index_, *route) : nullptr);
  serving->snapshot = std::move(snapshot);
  serving_ = std::move(serving);
  // One worker checks for all.
  if (index_ == 0) start_health_checks(*this, checks_);
}

std::optional<HeadRefusal> check_credentials(Worker& worker, const HttpRequestHead& head,
                                             std::shared_ptr<const void>& context) {
  const KeyRing& ring = worker.keys();
  if (!ring.asks) return std::nullopt;
  const std::int64_t now = worker.shared().clock.wall_us();
  const state::DecisionId fresh = worker.ids().next(now);
  return check_credentials(ring, head, now, fresh.view(), context);
}

}  // namespace rung::gateway
