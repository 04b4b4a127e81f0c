#pragma once
// One event loop with what its requests need: the served snapshot, connection pools, scratch, ids.
// Everything here belongs to the loop's thread unless it says otherwise.

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gateway/auth.h"
#include "gateway/decider.h"
#include "gateway/metrics.h"
#include "gateway/response_store.h"
#include "gateway/sessions.h"
#include "gateway/snapshot.h"
#include "gateway/trace_exporter.h"
#include "net/client.h"
#include "net/server.h"
#include "state/decision_id.h"
#include "state/ledger.h"
#include "upstream/allowance.h"
#include "upstream/host.h"

namespace rung::gateway {

/// What all workers share. Thread-safe members only; outlives the workers.
struct Shared {
  Shared(state::Ledger& its_ledger, Metrics& its_metrics, TlsContext* its_tls,
         const Clock& its_clock, Keys& its_keys)
      : ledger(its_ledger), metrics(its_metrics), tls(its_tls), clock(its_clock), keys(its_keys) {}
  state::Ledger& ledger;
  Metrics& metrics;
  std::atomic<TlsContext*> tls{nullptr};  // null if no upstream needs it; a reload may set it
  const Clock& clock;
  Keys& keys;
  std::atomic<bool> draining{false};
  Sessions* sessions = nullptr;     // null: off; set before the workers start
  TraceExporter* traces = nullptr;  // null: off; set before the workers start
  ResponseStore responses;
};

/// What this worker knows of one model: how much may be tried again, how much hedged.
struct ModelState {
  upstream::Allowance retries, hedges;
};

/// A snapshot with this worker's connections to its upstreams. Requests hold a shared_ptr, so that
/// a reload lets them end on what they began with.
struct Serving {
  std::shared_ptr<const Snapshot> snapshot;
  // By index of upstream, and of model. What was learnt is kept over reloads, by name.
  std::vector<std::shared_ptr<ClientPool>> pools;
  std::vector<std::shared_ptr<upstream::Host>> hosts;
  std::vector<std::shared_ptr<ModelState>> models;
};

class Worker {
 public:
  Worker(Shared& shared, std::size_t index);

  Loop& loop() { return loop_; }
  Shared& shared() { return shared_; }
  std::size_t index() const { return index_; }
  /// Swaps the snapshot. Pools of upstreams that did not change are kept with their connections.
  void serve(std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Serving> serving() const { return serving_; }
  DeciderScratch& scratch() { return scratch_; }
  state::DecisionIdSource& ids() { return ids_; }
  /// The keys in force now; until the next call.
  const KeyRing& keys() { return keys_.ring(); }
  ResilienceCells& cells() { return shared_.metrics.resilience().cells(index_); }
  std::size_t& running() { return running_; }  // requests now

 private:
  Shared& shared_;
  std::size_t index_;
  Loop loop_;
  std::shared_ptr<const Serving> serving_;
  DeciderScratch scratch_;
  state::DecisionIdSource ids_;
  KeyView keys_;
  std::size_t running_ = 0;
  std::shared_ptr<CancelSource> checks_;  // the health checks of the snapshot that is served
};

/// ServerOptions::check_head of this worker's listener.
std::optional<HeadRefusal> check_credentials(Worker& worker, const HttpRequestHead& head,
                                             std::shared_ptr<const void>& context);

}  // namespace rung::gateway
