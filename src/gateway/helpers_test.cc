#include "gateway/helpers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>

#include "base/file.h"
#include "gateway/endpoints.h"
#include "gateway/worker.h"
#include "net/net_test_kit.h"

namespace rung::gateway {
namespace {

using net_test::Raw;

/// Waits in every estimate until it is let go; prompts that say "hard" need the strong arm.
class HeldRouter final : public predict::Router {
 public:
  HeldRouter() {
    arms_.resize(2);
    arms_[0].name = "small";
    arms_[1].name = "large";
    for (auto& arm : arms_) arm.has_cost = true;
  }
  std::span<const predict::ArmInfo> arms() const override { return arms_; }
  void estimate_for(std::span<const std::uint32_t>, std::string_view prompt,
                    std::span<predict::Estimate> out, predict::Scratch&) const override {
    ++asked_;
    asked_.notify_all();
    let_go_.wait(false);
    const bool hard = prompt.find("hard") != std::string_view::npos;
    out[0] = {hard ? 0.3f : 0.9f, 0.05f, 0.001f, 0, true, false};
    out[1] = {0.95f, 0.02f, 0.01f, 0, true, false};
  }
  std::string_view metadata(std::string_view) const override { return {}; }
  bool is_static() const override { return false; }
  bool is_slow() const override { return true; }

  void let_go() const {
    let_go_ = true;
    let_go_.notify_all();
  }
  void wait_asked(int times) const {
    for (int seen = asked_; seen < times; seen = asked_) asked_.wait(seen);
  }
  int asked() const { return asked_; }

 private:
  std::vector<predict::ArmInfo> arms_;
  mutable std::atomic<int> asked_{0};
  mutable std::atomic<bool> let_go_{false};
};

/// One worker in a thread of its own, with a route whose predictor is held.
class SlowPredictor : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = std::filesystem::temp_directory_path();
    ASSERT_TRUE(write_file(folder / "held.safetensors", "x"));
    const std::string yaml =
        fmt::format("upstreams: {{u: {{base_url: \"http://127.0.0.1:{}/v1\"}}}}\n",
                    upstream_.port()) +
        "models:\n"
        "  small: {upstream: u, price: {input: 1, output: 1}}\n"
        "  large: {upstream: u, price: {input: 1, output: 1}}\n"
        "routes:\n"
        "  auto: {arms: [small, large], predictor: held.safetensors,\n"
        "         policy: {kind: target_quality, target_quality: 0.8}}\n";
    auto config = parse_config(yaml, folder, process_environment());
    ASSERT_TRUE(config) << config.error().message;
    auto snapshot = make_snapshot(*std::move(config), [this](const auto&) {
      return Result<std::shared_ptr<const predict::Router>>(router_);
    });
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    std::promise<void> up;
    thread_ = std::thread([this, &up, snapshot = *snapshot] {
      Worker worker(shared_, 0);
      worker.serve(snapshot);
      auto server = Server::listen(
          worker.loop(), {}, [&worker](Exchange& exchange) { return answer(worker, exchange); });
      RUNG_CHECK(server.has_value(), "the test server listens");
      port_ = (*server)->port();
      loop_ = &worker.loop();
      up.set_value();
      worker.loop().run();
    });
    up.get_future().wait();
  }
  void TearDown() override {
    stop();
    router_->let_go();
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
  }

  Raw send(const std::string& model, const std::string& text) const {
    const std::string body = fmt::format(
        R"({{"model":"{}","messages":[{{"role":"user","content":"{}"}}]}})", model, text);
    Raw connection = Raw::connect(port_);
    connection.send(
        fmt::format("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{}",
                    body.size(), body));
    return connection;
  }
  static Task<void> reply(Exchange& exchange) {
    const HttpHeader headers[] = {{"content-type", "application/json"}};
    auto sent = co_await exchange.respond(
        200, headers, R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}})");
    static_cast<void>(sent);
  }
  bool eventually_counted(const std::string& line) const {
    for (int i = 0; i < 500; ++i) {
      if (metrics_.text().find(line) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::shared_ptr<const HeldRouter> router_ = std::make_shared<HeldRouter>();
  net_test::ServerThread upstream_{reply};
  std::unique_ptr<state::Ledger> ledger_ = std::move(*state::Ledger::open({}));
  Metrics metrics_{1, *ledger_};
  Clock clock_;
  Keys keys_{clock_, [] { return state::SpentBefore{}; }};
  Shared shared_{*ledger_, metrics_, nullptr, clock_, keys_};
  std::thread thread_;
  Loop* loop_ = nullptr;
  std::uint16_t port_ = 0;
};

TEST_F(SlowPredictor, HoldsUpNoOtherRequestOfItsWorker) {
  Raw slow = send("auto", "hard");
  router_->wait_asked(1);
  // The predictor is let go only after this request of the same event loop has its answer.
  Raw quick = send("small", "hi");
  const std::string answer = quick.read_until("completion_tokens");
  EXPECT_NE(answer.find("200 OK"), std::string::npos) << answer << quick.how_ended();
  EXPECT_EQ(router_->asked(), 1);
  router_->let_go();
  const std::string late = slow.read_until("completion_tokens");
  EXPECT_NE(late.find("x-rung-arm: large"), std::string::npos) << late << slow.how_ended();
  Raw easy = send("auto", "easy");
  EXPECT_NE(easy.read_until("completion_tokens").find("x-rung-arm: small"), std::string::npos);
}

TEST_F(SlowPredictor, AClientThatLeavesIsNotWaitedForAndWhatItAskedIsDropped) {
  const std::size_t threads = std::max(1u, std::thread::hardware_concurrency() / 2);
  std::vector<Raw> at_work, in_queue;
  for (std::size_t i = 0; i < threads; ++i) at_work.push_back(send("auto", "hard"));
  router_->wait_asked(static_cast<int>(threads));
  in_queue.push_back(send("auto", "hard"));
  EXPECT_NE(send("small", "hi").read_until("completion_tokens").find("200 OK"), std::string::npos);
  in_queue.clear();
  at_work.clear();
  EXPECT_TRUE(eventually_counted(fmt::format("status=\"client_gone\"}} {}\n", threads + 1)))
      << metrics_.text();
  router_->let_go();
  Raw after = send("auto", "hard");
  EXPECT_NE(after.read_until("completion_tokens").find("x-rung-arm: large"), std::string::npos);
  EXPECT_EQ(router_->asked(), static_cast<int>(threads) + 1) << "nobody asked for the one in queue";
}

TEST_F(SlowPredictor, AGatewayMayStopWhileOneIsAtWork) {
  Raw slow = send("auto", "hard");
  router_->wait_asked(1);
  stop();  // the request's frame, its worker and its loop are gone
  router_->let_go();
  slow.read_until("never");
  EXPECT_NE(slow.how_ended(), "timeout");
}

}  // namespace
}  // namespace rung::gateway
