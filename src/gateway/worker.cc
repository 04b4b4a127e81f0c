#include "gateway/worker.h"

namespace rung::gateway {
namespace {

bool same_host(const UpstreamConfig& a, const UpstreamConfig& b) {
  return a.base_url.tls == b.base_url.tls && a.base_url.host == b.base_url.host &&
         a.base_url.port == b.base_url.port && a.connect_timeout == b.connect_timeout &&
         a.max_connections == b.max_connections;
}

}  // namespace

Worker::Worker(Shared& shared, std::size_t index) : shared_(shared), index_(index) {}

void Worker::serve(std::shared_ptr<const Snapshot> snapshot) {
  auto serving = std::make_shared<Serving>();
  for (const UpstreamConfig& upstream : snapshot->config->upstreams) {
    std::shared_ptr<ClientPool> pool;
    if (serving_) {
      const auto& before = serving_->snapshot->config->upstreams;
      for (std::size_t i = 0; i < before.size() && !pool; ++i)
        if (same_host(before[i], upstream)) pool = serving_->pools[i];
    }
    if (!pool) {
      pool =
          std::make_shared<ClientPool>(loop_, upstream.base_url,
                                       ClientOptions{.tls = shared_.tls,
                                                     .connect_timeout = upstream.connect_timeout,
                                                     .max_connections = upstream.max_connections});
    }
    serving->pools.push_back(std::move(pool));
  }
  for (const auto& route : snapshot->routes)
    serving->live_shares.push_back(
        shared_.live_shares != nullptr ? shared_.live_shares->cell(index_, *route) : nullptr);
  serving->snapshot = std::move(snapshot);
  serving_ = std::move(serving);
}

}  // namespace rung::gateway
