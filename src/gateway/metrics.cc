#include "gateway/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <span>
#include <tuple>

#include "base/check.h"
#include "gateway/snapshot.h"

namespace rung::gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using state::Outcome;

using Count = std::atomic<std::uint64_t>;

/// Only one thread writes a cell, so a load and a store are enough: no locked instruction.
void bump(Count& cell, std::uint64_t by = 1) {
  cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
std::uint64_t read(const Count& cell) { return cell.load(std::memory_order_relaxed); }

std::uint64_t positive(std::int64_t value) {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

// Upper bounds, microseconds. A decision is tens of microseconds; an answer takes milliseconds to
// minutes.
constexpr std::array<std::int64_t, 10> kDecisionBounds = {10,  20,   50,   100,  200,
                                                          500, 1000, 2000, 5000, 20000};
constexpr std::array<std::int64_t, 14> kUpstreamBounds = {
    1000,    5000,      10'000,    25'000,    50'000,     100'000,    250'000,
    500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 120'000'000};

template <std::size_t N>
struct Times {
  std::array<Count, N + 1> buckets{};  // the last one: above every bound
  Count sum_us{0};

  void add(const std::array<std::int64_t, N>& bounds, std::int64_t us) {
    const auto at = std::lower_bound(bounds.begin(), bounds.end(), us) - bounds.begin();
    bump(buckets[static_cast<std::size_t>(at)]);
    bump(sum_us, positive(us));
  }
};

/// Times of several workers and tables, added up.
struct TimesSum {
  std::vector<std::uint64_t> buckets;
  std::uint64_t sum_us = 0;

  template <std::size_t N>
  void add(const Times<N>& times) {
    buckets.resize(N + 1);
    for (std::size_t i = 0; i <= N; ++i) buckets[i] += read(times.buckets[i]);
    sum_us += read(times.sum_us);
  }
  bool is_empty() const {
    return std::all_of(buckets.begin(), buckets.end(), [](std::uint64_t n) { return n == 0; });
  }
  ClientMetric metric(std::span<const std::int64_t> bounds) const {
    ClientMetric m;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      count += i < buckets.size() ? buckets[i] : 0;
      const double bound = i < bounds.size() ? static_cast<double>(bounds[i]) * 1e-6
                                             : std::numeric_limits<double>::infinity();
      m.histogram.bucket.push_back({count, bound});
    }
    m.histogram.sample_count = count;
    m.histogram.sample_sum = static_cast<double>(sum_us) * 1e-6;
    return m;
  }
};

// The first two names of every label: 0 is none, and
constexpr std::size_t kOther = 1;

/// Names with their numbers; few, so looking through them is quick.
struct Names {
  std::vector<std::string> names{"", "other"};
  std::size_t of(std::string_view name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? kOther : static_cast<std::size_t>(found - names.begin());
  }
  void add(const std::string& name) {
    if (of(name) == kOther) names.push_back(name);
  }
  std::size_t size() const { return names.size(); }
};

enum TokenKind : std::size_t { kPrompt, kCached, kCompletion, kReasoning, kTokenKinds };
constexpr const char* kTokenKindNames[] = {"prompt", "cached", "completion", "reasoning"};
constexpr std::size_t kOutcomeCount = std::size(state::kOutcomes);

struct ModelCounts {
  std::array<Count, kTokenKinds> tokens{};
  Count cost_nano{0}, cost_unknown{0};
  Times<kUpstreamBounds.size()> upstream, first_token;
};

MetricFamily family(const char* name, const char* help, MetricType type) {
  MetricFamily f;
  f.name = name;
  f.help = help;
  f.type = type;
  return f;
}

ClientMetric counter(std::vector<ClientMetric::Label> labels, double value) {
  ClientMetric m;
  m.label = std::move(labels);
  m.counter.value = value;
  return m;
}

MetricFamily single(const char* name, const char* help, MetricType type, double value) {
  MetricFamily f = family(name, help, type);
  ClientMetric m;
  (type == MetricType::Gauge ? m.gauge.value : m.counter.value) = value;
  f.metric.push_back(std::move(m));
  return f;
}

}  // namespace

/// The cells for one set of labels.
struct Metrics::Table {
  Table(MetricLabels of, std::size_t workers) : labels(std::move(of)) {
    for (const auto& route : labels.routes) routes.add(route.route);
    for (const auto& model : labels.models) models.add(model);
    arms.resize(routes.size());
    for (const auto& route : labels.routes) {
      for (const auto& arm : route.arms) arms[routes.of(route.route)].add(arm);
    }
    std::size_t picks = 0;
    for (const Names& names : arms) {
      first_pick.push_back(picks);
      picks += names.size();
    }
    for (std::size_t i = 0; i < workers; ++i) {
      cells.push_back(std::make_unique<Cells>(routes.size() * models.size() * kOutcomeCount, picks,
                                              models.size()));
    }
  }

  struct Cells {
    Cells(std::size_t request_cells, std::size_t pick_cells, std::size_t model_cells)
        : requests(request_cells), picks(pick_cells), models(model_cells) {}
    std::vector<Count> requests, picks;
    std::vector<ModelCounts> models;
    Times<kDecisionBounds.size()> decision;
  };

  std::size_t request_cell(std::size_t route, std::size_t model, std::size_t outcome) const {
    return (route * models.size() + model) * kOutcomeCount + outcome;
  }

  const MetricLabels labels;
  Names routes, models;
  std::vector<Names> arms;              // of each route
  std::vector<std::size_t> first_pick;  // of each route
  std::vector<std::unique_ptr<Cells>>
      cells;  // of each worker; apart, so that workers share no cache line
};

Metrics::Metrics(std::size_t workers, const state::Ledger& ledger, std::string version)
    : workers_(workers),
      ledger_(ledger),
      version_(std::move(version)),
      connections_(workers),
      resilience_(workers) {
  tables_.push_back(std::make_unique<Table>(MetricLabels{}, workers_));
  current_.store(tables_.back().get(), std::memory_order_release);
}

Metrics::~Metrics() = default;

void Metrics::serve(const Snapshot& snapshot) {
  MetricLabels labels;
  for (const auto& route : snapshot.routes) {
    MetricLabels::RouteArms of{route->name, {}};
    for (const Arm& arm : route->arms) of.arms.push_back(arm.label);
    labels.routes.push_back(std::move(of));
  }
  for (const auto& [name, model] : snapshot.model_by_name) labels.models.push_back(name);
  std::sort(labels.models.begin(), labels.models.end());
  serve(std::move(labels));
}

void Metrics::serve(MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  // A reload often changes prices or policies only: the table with the same labels goes on.
  for (const auto& table : tables_) {
    if (table->labels == labels) return current_.store(table.get(), std::memory_order_release);
  }
  tables_.push_back(std::make_unique<Table>(std::move(labels), workers_));
  current_.store(tables_.back().get(), std::memory_order_release);
}

void Metrics::record(std::size_t worker, const state::RequestRecord& record,
                     std::int64_t decision_us) {
  RUNG_CHECK(worker < workers_, "worker number at or above the number of workers");
  Table& table = *current_.load(std::memory_order_acquire);
  Table::Cells& cells = *table.cells[worker];
  const std::size_t route = table.routes.of(record.route);
  const std::size_t model = table.models.of(record.served_model);
  bump(cells.requests[table.request_cell(route, model, static_cast<std::size_t>(record.outcome))]);
  if (!record.arm.empty())
    bump(cells.picks[table.first_pick[route] + table.arms[route].of(record.arm)]);
  if (decision_us >= 0) cells.decision.add(kDecisionBounds, decision_us);

  ModelCounts& counts = cells.models[model];
  for (const state::CallRecord& call : record.calls) {
    const std::optional<std::int64_t>* const tokens[] = {
        &call.prompt_tokens, &call.cached_tokens, &call.completion_tokens, &call.reasoning_tokens};
    for (std::size_t kind = 0; kind < kTokenKinds; ++kind) {
      if (*tokens[kind]) bump(counts.tokens[kind], positive(**tokens[kind]));
    }
    if (call.cost) {
      bump(counts.cost_nano, positive(call.cost->count));
    } else {
      bump(counts.cost_unknown);
    }
    counts.upstream.add(kUpstreamBounds, call.end_us - call.start_us);
    if (call.first_byte_us)
      counts.first_token.add(kUpstreamBounds, *call.first_byte_us - call.start_us);
  }
}

void Metrics::connection_opened(std::size_t worker) {
  auto& cell = connections_[worker].opened;
  cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Metrics::connection_closed(std::size_t worker) {
  auto& cell = connections_[worker].closed;
  cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Metrics::watch(std::string name, std::string help, std::function<double()> read) {
  watched_.push_back({std::move(name), std::move(help), std::move(read)});
}

std::vector<MetricFamily> Metrics::Collect() const {
  struct ModelSum {
    std::array<std::uint64_t, kTokenKinds> tokens{};
    std::uint64_t cost_nano = 0, cost_unknown = 0;
    TimesSum upstream, first_token;
  };
  std::map<std::tuple<std::string, std::string, std::size_t>, std::uint64_t> requests;
  std::map<std::pair<std::string, std::string>, std::uint64_t> picks;
  std::map<std::string, ModelSum> models;
  TimesSum decision;

  const std::lock_guard lock(mutex_);
  for (const auto& table : tables_) {
    for (const auto& cells : table->cells) {
      for (std::size_t r = 0; r < table->routes.size(); ++r) {
        const std::string& route = table->routes.names[r];
        for (std::size_t m = 0; m < table->models.size(); ++m) {
          for (std::size_t o = 0; o < kOutcomeCount; ++o) {
            const std::uint64_t n = read(cells->requests[table->request_cell(r, m, o)]);
            if (n > 0) requests[{route, table->models.names[m], o}] += n;
          }
        }
        for (std::size_t a = 0; a < table->arms[r].size(); ++a) {
          const std::uint64_t n = read(cells->picks[table->first_pick[r] + a]);
          if (n > 0) picks[{route, table->arms[r].names[a]}] += n;
        }
      }
      for (std::size_t m = 0; m < table->models.size(); ++m) {
        const ModelCounts& counts = cells->models[m];
        ModelSum& sum = models[table->models.names[m]];
        for (std::size_t kind = 0; kind < kTokenKinds; ++kind)
          sum.tokens[kind] += read(counts.tokens[kind]);
        sum.cost_nano += read(counts.cost_nano);
        sum.cost_unknown += read(counts.cost_unknown);
        sum.upstream.add(counts.upstream);
        sum.first_token.add(counts.first_token);
      }
      decision.add(cells->decision);
    }
  }

  std::vector<MetricFamily> out;
  MetricFamily f =
      family("rung_requests_total", "Requests that ended, by how they ended", MetricType::Counter);
  for (const auto& [key, n] : requests) {
    const auto& [route, model, outcome] = key;
    f.metric.push_back(counter({{"route", route},
                                {"model", model},
                                {"status", std::string(name(state::kOutcomes[outcome]))}},
                               static_cast<double>(n)));
  }
  out.push_back(std::move(f));

  f = family("rung_picks_total", "How often each arm was chosen", MetricType::Counter);
  for (const auto& [key, n] : picks) {
    f.metric.push_back(
        counter({{"route", key.first}, {"arm", key.second}}, static_cast<double>(n)));
  }
  out.push_back(std::move(f));

  f = family("rung_decision_seconds", "Time to choose an arm", MetricType::Histogram);
  f.metric.push_back(decision.metric(kDecisionBounds));
  out.push_back(std::move(f));

  MetricFamily upstream =
      family("rung_upstream_seconds", "Time of a call to an upstream", MetricType::Histogram);
  MetricFamily first = family("rung_first_token_seconds",
                              "Time until an upstream's first body byte", MetricType::Histogram);
  MetricFamily tokens =
      family("rung_tokens_total", "Tokens, as far as they are known", MetricType::Counter);
  MetricFamily cost =
      family("rung_cost_usd_total", "Cost of calls whose cost is known", MetricType::Counter);
  MetricFamily unknown =
      family("rung_cost_unknown_total", "Calls whose cost is not known", MetricType::Counter);
  for (const auto& [model, sum] : models) {
    const ClientMetric::Label label{"model", model};
    const bool configured = !model.empty() && model != "other";
    if (!sum.upstream.is_empty()) {
      upstream.metric.push_back(sum.upstream.metric(kUpstreamBounds));
      upstream.metric.back().label = {label};
    }
    if (!sum.first_token.is_empty()) {
      first.metric.push_back(sum.first_token.metric(kUpstreamBounds));
      first.metric.back().label = {label};
    }
    for (std::size_t kind = 0; kind < kTokenKinds; ++kind) {
      if (sum.tokens[kind] == 0) continue;
      tokens.metric.push_back(
          counter({label, {"kind", kTokenKindNames[kind]}}, static_cast<double>(sum.tokens[kind])));
    }
    // A configured model is there from the start, so that rates have a first point.
    if (configured || sum.cost_nano > 0) {
      cost.metric.push_back(counter({label}, static_cast<double>(sum.cost_nano) * 1e-9));
    }
    if (configured || sum.cost_unknown > 0) {
      unknown.metric.push_back(counter({label}, static_cast<double>(sum.cost_unknown)));
    }
  }
  for (MetricFamily* of : {&upstream, &first, &tokens, &cost, &unknown})
    out.push_back(std::move(*of));

  for (MetricFamily& of : resilience_.collect()) out.push_back(std::move(of));

  std::int64_t open = 0;
  for (const Connections& c : connections_) {
    open += c.opened.load(std::memory_order_relaxed) - c.closed.load(std::memory_order_relaxed);
  }
  const state::LedgerStats ledger = ledger_.stats();
  out.push_back(single("rung_open_connections", "Connections of clients", MetricType::Gauge,
                       static_cast<double>(std::max<std::int64_t>(open, 0))));
  out.push_back(single("rung_ledger_waiting", "Records in memory, not yet in the ledger",
                       MetricType::Gauge, static_cast<double>(ledger.waiting)));
  out.push_back(single("rung_ledger_lost_total", "Records that were lost", MetricType::Counter,
                       static_cast<double>(ledger.lost)));
  out.push_back(single("rung_ledger_healthy", "1 if the last write to the ledger succeeded",
                       MetricType::Gauge, ledger.healthy ? 1 : 0));
  for (const Watched& watched : watched_)
    out.push_back(
        single(watched.name.c_str(), watched.help.c_str(), MetricType::Counter, watched.read()));
  f = family("rung_build_info", "Always 1; the version is in the label", MetricType::Gauge);
  ClientMetric info;
  info.label = {{"version", version_.empty() ? RUNG_VERSION : version_}};
  info.gauge.value = 1;
  f.metric.push_back(std::move(info));
  out.push_back(std::move(f));
  return out;
}

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(Collect()); }

}  // namespace rung::gateway
