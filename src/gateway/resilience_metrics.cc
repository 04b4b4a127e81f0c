#include "gateway/resilience_metrics.h"

namespace rung::gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::uint64_t read(const std::atomic<std::uint64_t>& cell) {
  return cell.load(std::memory_order_relaxed);
}

class Family {
 public:
  Family(const char* name, const char* help, MetricType type) {
    family_.name = name;
    family_.help = help;
    family_.type = type;
  }
  void add(std::vector<ClientMetric::Label> labels, double value) {
    ClientMetric m;
    m.label = std::move(labels);
    (family_.type == MetricType::Gauge ? m.gauge.value : m.counter.value) = value;
    family_.metric.push_back(std::move(m));
  }
  MetricFamily take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

}  // namespace

std::shared_ptr<upstream::HostWatch> ResilienceMetrics::watch(std::size_t worker,
                                                              const std::string& upstream) {
  const std::lock_guard lock(mutex_);
  auto& found = watches_[upstream][worker];
  if (!found) found = std::make_shared<upstream::HostWatch>();
  return found;
}

std::shared_ptr<std::atomic<bool>> ResilienceMetrics::down(const std::string& upstream) {
  const std::lock_guard lock(mutex_);
  auto& found = down_[upstream];
  if (!found) found = std::make_shared<std::atomic<bool>>(false);
  return found;
}

std::vector<MetricFamily> ResilienceMetrics::collect() const {
  std::vector<MetricFamily> out;
  const auto total = [&](std::atomic<std::uint64_t> ResilienceCells::* cell) {
    std::uint64_t sum = 0;
    for (const ResilienceCells& cells : cells_) sum += read(cells.*cell);
    return static_cast<double>(sum);
  };
  Family retries("rung_attempts_total", "Attempts after the first one, by where they went",
                 MetricType::Counter);
  retries.add({{"to", "same_host"}}, total(&ResilienceCells::same_host));
  retries.add({{"to", "other_host"}}, total(&ResilienceCells::other_host));
  retries.add({{"to", "other_arm"}}, total(&ResilienceCells::fallbacks));
  out.push_back(retries.take());
  Family refused("rung_retries_over_budget_total", "Retries that the retry budget did not allow",
                 MetricType::Counter);
  refused.add({}, total(&ResilienceCells::over_budget));
  out.push_back(refused.take());
  Family hedges("rung_hedges_total", "Second calls because the first was slow",
                MetricType::Counter);
  hedges.add({{"result", "sent"}}, total(&ResilienceCells::hedges));
  hedges.add({{"result", "won"}}, total(&ResilienceCells::hedges_won));
  out.push_back(hedges.take());
  Family shed("rung_shed_total", "Requests refused without asking an upstream",
              MetricType::Counter);
  shed.add({{"reason", "gateway_busy"}}, total(&ResilienceCells::shed_busy));
  shed.add({{"reason", "hosts_busy"}}, total(&ResilienceCells::shed_hosts_busy));
  shed.add({{"reason", "breaker_open"}}, total(&ResilienceCells::shed_breaker));
  out.push_back(shed.take());

  Family ends("rung_upstream_calls_total", "Calls to an upstream, by how they ended",
              MetricType::Counter);
  Family open("rung_breaker_open", "Workers whose breaker for an upstream is open",
              MetricType::Gauge);
  Family opened("rung_breaker_opened_total", "How often a breaker opened", MetricType::Counter);
  Family ejected("rung_ejected", "Workers that ejected an upstream from its models' hosts",
                 MetricType::Gauge);
  Family ejections("rung_ejections_total", "How often an upstream was ejected",
                   MetricType::Counter);
  Family wrong("rung_wrong_model_total", "Answers by another model than the one asked for",
               MetricType::Counter);
  Family down("rung_upstream_down", "1 while the checks of an upstream fail", MetricType::Gauge);
  const std::lock_guard lock(mutex_);
  for (const auto& [name, workers] : watches_) {
    std::array<std::uint64_t, std::size(upstream::kFaults)> sum{};
    double is_open = 0, times_opened = 0, is_ejected = 0, times_ejected = 0, wrong_models = 0;
    for (const auto& [worker, watch] : workers) {
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += read(watch->ends[i]);
      is_open += watch->breaker_open.load(std::memory_order_relaxed) ? 1 : 0;
      is_ejected += watch->ejected.load(std::memory_order_relaxed) ? 1 : 0;
      times_opened += static_cast<double>(read(watch->opened));
      times_ejected += static_cast<double>(read(watch->ejections));
      wrong_models += static_cast<double>(read(watch->wrong_model));
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const auto fault = upstream::kFaults[i];
      if (sum[i] == 0) continue;
      const auto label = fault == upstream::Fault::kNone ? "answered" : upstream::name(fault);
      ends.add({{"upstream", name}, {"end", std::string(label)}}, static_cast<double>(sum[i]));
    }
    open.add({{"upstream", name}}, is_open);
    opened.add({{"upstream", name}}, times_opened);
    ejected.add({{"upstream", name}}, is_ejected);
    ejections.add({{"upstream", name}}, times_ejected);
    wrong.add({{"upstream", name}}, wrong_models);
  }
  for (const auto& [name, flag] : down_)
    down.add({{"upstream", name}}, flag->load(std::memory_order_relaxed) ? 1 : 0);
  for (Family* of : {&ends, &open, &opened, &ejected, &ejections, &wrong, &down})
    out.push_back(of->take());
  return out;
}

}  // namespace rung::gateway
