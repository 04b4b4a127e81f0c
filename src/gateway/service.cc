#include "gateway/service.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <thread>

#include "gateway/admin_keys.h"
#include "gateway/admin_server.h"
#include "gateway/config_keys.h"
#include "gateway/endpoints.h"
#include "gateway/log.h"
#include "gateway/worker.h"

namespace rung::gateway {
namespace {

using namespace std::chrono_literals;

/// What tells one version of a file from another; editors that write beside and rename change the
/// inode.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
  explicit FileStamp(const std::filesystem::path& file) {
    struct stat info{};
    if (::stat(file.c_str(), &info) != 0) return;
    inode = info.st_ino;
    size = info.st_size;
    changed = info.st_mtim;
  }
  bool operator==(const FileStamp& other) const {
    return inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};

bool needs_tls(const Config& config) {
  return std::any_of(config.upstreams.begin(), config.upstreams.end(),
                     [](const UpstreamConfig& u) { return u.base_url.tls; });
}

/// A second process may bind a port that was opened for sharing, so whether somebody else has it is
/// asked first.
Result<void> probe(const ListenAddress& address) {
  Loop loop;
  auto server = Server::listen(loop, {.host = address.host, .port = address.port},
                               [](Exchange&) -> Task<void> { co_return; });
  if (!server) return server.error();
  return {};
}

std::string url_of(const ListenAddress& address, std::uint16_t port, bool tls = false) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("http{}://{}{}{}:{}", tls ? "s" : "", v6 ? "[" : "", address.host,
                     v6 ? "]" : "", port);
}

class Service {
 public:
  explicit Service(std::filesystem::path file) : file_(std::move(file)), stamp_(file_) {}

  Result<void> start() {
    auto config = load_config(file_);
    if (!config) return config.error();
    auto snapshot = make_snapshot(*std::move(config));
    if (!snapshot) return snapshot.error().with(file_.string());
    snapshot_ = *snapshot;
    const Config& c = *snapshot_->config;
    set_log_format(c.observe.log.json);
    if (auto tls = prepare_tls(c); !tls) return tls.error();
    auto server_tls = load_server_tls(c);
    if (!server_tls) return server_tls.error().with(file_.string());
    const std::size_t workers =
        c.workers != 0 ? c.workers : std::max(1u, std::thread::hardware_concurrency());
    state::LedgerOptions options;
    options.path = c.ledger.path.string();
    options.keep_prompts = c.ledger.keep_prompts;
    options.workers = workers;
    auto ledger = state::Ledger::open(options);
    if (!ledger) return ledger.error();
    ledger_ = *std::move(ledger);
    metrics_ = std::make_unique<Metrics>(workers, *ledger_, RUNG_VERSION);
    keys_ = std::make_unique<Keys>(clock_, [this]() -> Result<state::SpentBefore> {
      // What waits for its batch counts too.
      if (auto flushed = ledger_->flush(); !flushed && ledger_->stats().waiting > 0)
        return flushed.error();
      return state::spent_before(ledger_->reader_path(), clock_.wall_us());
    });
    if (auto known = keys_->configure(c); !known) return known.error();
    if (auto safe = check_reach(c, keys_->asks()); !safe) return safe.error().with(file_.string());
    shared_ = std::make_unique<Shared>(*ledger_, *metrics_, tls_.get(), clock_, *keys_);
    start_sessions(c);
    if (auto traced = start_traces(c, workers); !traced) return traced.error();
    metrics_->serve(*snapshot_);
    if (auto started = start_workers(workers, c, *std::move(server_tls)); !started)
      return started.error();
    if (c.admin) {
      auto admin = AdminServer::start(*c.admin, *ledger_, admin_options(c));
      if (!admin) return admin.error();
      admin_ = *std::move(admin);
    }
    for (auto& worker : workers_) threads_.emplace_back([&loop = worker->loop()] { loop.run(); });
    spdlog::info("listening on {} with {} workers; routes: {}",
                 url_of(c.listen, servers_[0]->port(), c.tls.has_value()), workers, route_names());
    if (admin_) spdlog::info("dashboard on {}", url_of(*c.admin, admin_->port()));
    if (!ledger_->is_enabled())
      spdlog::warn(
          "the ledger is off: nothing is recorded, nothing can be learnt, and budgets "
          "begin anew with each start");
    if (!keys_->asks() && !is_loopback(c.listen))
      spdlog::warn("insecure: whoever can reach {} may spend your money",
                   url_of(c.listen, c.listen.port));
    return {};
  }

  void run(const sigset_t& signals) {
    for (;;) {
      const timespec patience{0, 500'000'000};
      const int signal = sigtimedwait(&signals, nullptr, &patience);
      if (signal == SIGTERM || signal == SIGINT) return;
      watch_ledger();
      watch_keys();
      const FileStamp now(file_);
      if (signal == SIGHUP || !(now == stamp_)) {
        stamp_ = now;
        reload();
      }
    }
  }

  void stop(const sigset_t& signals) {
    const auto timeout = snapshot_->config->drain_timeout;
    spdlog::info("stopping: running requests have {} s to end; a second signal ends them at once",
                 std::chrono::duration_cast<std::chrono::seconds>(timeout).count());
    shared_->draining = true;
    const Deadline deadline{std::chrono::steady_clock::now() + timeout};
    std::atomic<std::size_t> stopped{0};
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Loop& loop = workers_[i]->loop();
      Server& server = *servers_[i];
      loop.post([&loop, &server, &stopped, deadline] {
        loop.spawn(drain(loop, server, stopped, deadline));
      });
    }
    while (stopped < workers_.size()) {
      const timespec patience{0, 20'000'000};
      const int signal = sigtimedwait(&signals, nullptr, &patience);
      if (signal != SIGTERM && signal != SIGINT) continue;
      spdlog::warn("stopped at once; running requests were cut off");
      for (auto& worker : workers_) worker->loop().stop();
      break;
    }
    threads_.clear();
    admin_.reset();
    servers_.clear();
    workers_.clear();
    traces_.reset();
    if (auto flushed = ledger_->flush(); !flushed)
      spdlog::error("the ledger could not be written: {}", flushed.error().message);
  }

 private:
  static Task<void> drain(Loop& loop, Server& server, std::atomic<std::size_t>& stopped,
                          Deadline deadline) {
    co_await server.drain(deadline);
    ++stopped;
    loop.stop();
  }

  AdminOptions admin_options(const Config& config) {
    AdminOptions options;
    options.token = config.admin_token.reveal();
    options.allowed_hosts = config.admin_hosts;
    options.endpoint = url_of(config.listen, servers_[0]->port(), config.tls.has_value());
    options.manages = KeysApi::owns;
    options.manage = [api = KeysApi(*keys_, *ledger_, clock_)](auto&&... request) {
      return api.handle(request...);
    };
    options.routes = [this] {
      std::vector<AdminRoute> routes;
      const std::lock_guard lock(snapshot_mutex_);
      for (const auto& route : snapshot_->routes) {
        AdminRoute item;
        item.name = route->name;
        for (const Arm& arm : route->arms) item.arms.push_back(arm.label);
        item.policy = fmt::format("{}, {:g}", decide::name(route->policy_spec.kind),
                                  route->policy_spec.parameter);
        item.predictor = route->predictor_name;
        if (route->reference) item.reference_arm = route->arms[*route->reference].label;
        routes.push_back(std::move(item));
      }
      return routes;
    };
    return options;
  }

  void start_sessions(const Config& config) {
    if (!config.sessions) return;
    sessions_ = std::make_unique<Sessions>(*config.sessions);
    shared_->sessions = sessions_.get();
    metrics_->watch("rung_session_held_total",
                    "Turns that stayed with their model although the policy would have changed it",
                    [this] { return static_cast<double>(sessions_->stats().held); });
    metrics_->watch("rung_session_locked_total",
                    "Turns that had to stay: an open tool call, or state of the provider",
                    [this] { return static_cast<double>(sessions_->stats().locked); });
    metrics_->watch("rung_session_left_total", "Turns that changed the model of their session",
                    [this] { return static_cast<double>(sessions_->stats().left); });
  }

  Result<void> start_traces(const Config& config, std::size_t workers) {
    if (!config.observe.otlp) return {};
    auto traces =
        TraceExporter::start(*config.observe.otlp, {.workers = workers, .version = RUNG_VERSION});
    if (!traces) return traces.error();
    traces_ = *std::move(traces);
    shared_->traces = traces_.get();
    metrics_->watch("rung_trace_spans_sent_total", "Spans that the collector took",
                    [this] { return static_cast<double>(traces_->stats().sent); });
    metrics_->watch("rung_trace_spans_dropped_total",
                    "Spans that found no room or that the collector did not take",
                    [this] { return static_cast<double>(traces_->stats().dropped); });
    return {};
  }

  Result<void> prepare_tls(const Config& config) {
    if (tls_ || !needs_tls(config)) return {};
    auto tls = TlsContext::create();
    if (!tls) return tls.error();
    tls_ = *std::move(tls);
    return {};
  }

  static Result<std::shared_ptr<const ServerTls>> load_server_tls(const Config& config) {
    if (!config.tls) return std::shared_ptr<const ServerTls>();
    return ServerTls::load(*config.tls);
  }

  Result<void> start_workers(std::size_t count, const Config& config,
                             std::shared_ptr<const ServerTls> tls) {
    if (config.listen.port != 0)
      if (auto free = probe(config.listen); !free) return free.error();
    ServerOptions options{.host = config.listen.host,
                          .port = config.listen.port,
                          .reuse_port = count > 1,
                          .max_body_bytes = config.max_body_bytes,
                          .tls = std::move(tls)};
    for (std::size_t i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<Worker>(*shared_, i));
      Worker& worker = *workers_.back();
      worker.serve(snapshot_);
      options.check_head = [&worker](const HttpRequestHead& head,
                                     std::shared_ptr<const void>& context) {
        return check_credentials(worker, head, context);
      };
      auto server = Server::listen(worker.loop(), options, [&worker](Exchange& exchange) {
        return answer(worker, exchange);
      });
      if (!server) return server.error();
      servers_.push_back(*std::move(server));
      options.port = servers_.back()->port();  // port 0: all share the one that the first was given
    }
    return {};
  }

  void reload() {
    auto config = load_config(file_);
    if (!config)
      return spdlog::error("the new configuration is refused, the old one stays: {}",
                           config.error().message);
    const Config& old = *snapshot_->config;
    if (config->listen.host != old.listen.host || config->listen.port != old.listen.port ||
        config->workers != old.workers || config->ledger.path != old.ledger.path ||
        config->admin.has_value() != old.admin.has_value() ||
        config->max_body_bytes != old.max_body_bytes || config->sessions != old.sessions ||
        config->observe.otlp.has_value() != old.observe.otlp.has_value())
      spdlog::warn(
          "listen, admin, workers, max_body_mb, otlp, sessions and ledger.path take effect at the "
          "next start "
          "only");
    auto snapshot = make_snapshot(*std::move(config));
    if (!snapshot)
      return spdlog::error("the new configuration is refused, the old one stays: {}: {}",
                           file_.string(), snapshot.error().message);
    if (auto applied = apply_security(*(*snapshot)->config); !applied)
      return spdlog::error("the new configuration is refused, the old one stays: {}",
                           applied.error().message);
    shared_->tls = tls_.get();
    {
      const std::lock_guard lock(snapshot_mutex_);
      snapshot_ = *snapshot;
    }
    metrics_->serve(*snapshot_);
    for (auto& worker : workers_)
      worker->loop().post([&w = *worker, snapshot = snapshot_] { w.serve(snapshot); });
    spdlog::info("{} is in force; routes: {}", file_.string(), route_names());
  }

  /// What the new configuration says of TLS, keys and limits. Nothing has changed after an error.
  Result<void> apply_security(const Config& config) {
    if (auto tls = prepare_tls(config); !tls) return tls;
    auto server_tls = load_server_tls(config);
    if (!server_tls) return server_tls.error();
    if (config.tls.has_value() != snapshot_->config->tls.has_value())
      spdlog::warn("turning `tls` on or off takes effect at the next start only");
    if (auto known = keys_->configure(config); !known) return known;
    if (config.tls.has_value() && snapshot_->config->tls.has_value())
      for (std::size_t i = 0; i < workers_.size(); ++i)
        workers_[i]->loop().post(
            [&server = *servers_[i], tls = *server_tls] { server.set_tls(tls); });
    return {};
  }

  void watch_keys() {
    const auto read = keys_->poll();
    const std::string trouble = read ? std::string() : read.error().message;
    if (trouble != key_trouble_ && !trouble.empty())
      spdlog::error("the key store cannot be read, its keys stay as they were: {}", trouble);
    key_trouble_ = trouble;
  }

  void watch_ledger() {
    const state::LedgerStats stats = ledger_->stats();
    if (!stats.healthy && ledger_healthy_)
      spdlog::error("the ledger cannot be written, records wait in memory: {}", stats.last_error);
    if (stats.healthy && !ledger_healthy_) spdlog::info("the ledger is written again");
    if (stats.lost > ledger_lost_)
      spdlog::error("{} ledger records are lost", stats.lost - ledger_lost_);
    ledger_healthy_ = stats.healthy;
    ledger_lost_ = stats.lost;
  }

  std::string route_names() const {
    std::string names;
    for (const auto& route : snapshot_->routes) names += (names.empty() ? "" : ", ") + route->name;
    return names.empty() ? "none" : names;
  }

  std::filesystem::path file_;
  FileStamp stamp_;
  Clock clock_;
  std::mutex snapshot_mutex_;  // the dashboard's thread reads snapshot_ while a reload swaps it
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<state::Ledger> ledger_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<TraceExporter> traces_;
  std::unique_ptr<Keys> keys_;
  std::string key_trouble_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::unique_ptr<AdminServer> admin_;
  std::vector<std::jthread> threads_;
  bool ledger_healthy_ = true;
  std::uint64_t ledger_lost_ = 0;
};

}  // namespace

Result<void> serve(const std::filesystem::path& config_file) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("rung"));
  set_log_format(false);
  // Signals are waited for by this thread alone; the threads made from here on inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Service service(config_file);
  if (auto started = service.start(); !started) return started.error();
  service.run(signals);
  service.stop(signals);
  return {};
}

Result<void> check(const std::filesystem::path& config_file, std::string& summary) {
  auto config = load_config(config_file);
  if (!config) return config.error();
  auto snapshot = make_snapshot(*std::move(config));
  if (!snapshot) return snapshot.error().with(config_file.string());
  const Config& c = *(*snapshot)->config;
  std::error_code ignored;
  const bool has_keys =
      c.asks_for_keys || !c.key_store.empty() ||
      (!c.ledger.path.empty() &&
       std::filesystem::exists(state::key_store_beside(c.ledger.path), ignored));
  if (auto safe = check_reach(c, has_keys); !safe) return safe.error().with(config_file.string());
  if (c.tls)
    if (auto tls = ServerTls::load(*c.tls); !tls) return tls.error().with(config_file.string());
  summary = fmt::format("{}: {} upstreams, {} models, {} routes\n", config_file.string(),
                        c.upstreams.size(), c.models.size(), c.routes.size());
  for (const auto& route : (*snapshot)->routes) {
    summary += fmt::format(
        "  {}: {}\n", route->name,
        route->predictor
            ? fmt::format("predictor {}, policy {} {:g}", route->predictor_name,
                          decide::name(route->policy_spec.kind), route->policy_spec.parameter)
            : std::string("one arm"));
    for (const Arm& arm : route->arms) {
      std::string what = arm.why_unscored.empty() ? "scored" : "only by name: " + arm.why_unscored;
      if (arm.known_as) what += fmt::format(" as {}", route->predictor->arms()[*arm.known_as].name);
      summary += fmt::format("    {:<24} {}\n", arm.label, what);
    }
  }
  return {};
}

}  // namespace rung::gateway
