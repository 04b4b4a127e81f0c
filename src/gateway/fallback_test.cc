#include "gateway/fallback.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "wire/openai_chat.h"

namespace rung::gateway {
namespace {

/// Three arms with fixed qualities and 100 tokens each.
class FakeRouter final : public predict::Router {
 public:
  FakeRouter() {
    arms_.resize(3);
    arms_[0].name = "cheap", arms_[1].name = "middle", arms_[2].name = "best";
    for (auto& arm : arms_) arm.has_cost = arm.has_tokens = true;
  }
  std::span<const predict::ArmInfo> arms() const override { return arms_; }
  void estimate_for(std::span<const std::uint32_t>, std::string_view,
                    std::span<predict::Estimate> out, predict::Scratch&) const override {
    out[0] = {0.70f, 0.05f, 0.001f, 100, true, true};
    out[1] = {0.80f, 0.05f, 0.001f, 100, true, true};
    out[2] = {0.90f, 0.05f, 0.001f, 100, true, true};
  }
  std::string_view metadata(std::string_view) const override { return {}; }
  bool is_static() const override { return false; }

 private:
  std::vector<predict::ArmInfo> arms_;
};

const std::string kYaml = R"(
upstreams: {u: {base_url: http://127.0.0.1:1/v1}}
models:
  cheap:  {upstream: u, supports: [tools], price: {input: 0.1, output: 1}, fallback: [best, middle, unpriced]}
  middle: {upstream: u, supports: [tools], context: 1000, price: {input: 1, output: 10}}
  best:   {upstream: u, price: {input: 3, output: 30}}
  unpriced: {upstream: u, supports: [tools], like: best}
routes:
  auto: {arms: [cheap, middle, best, unpriced], predictor: p.safetensors, policy: {kind: target_quality, target_quality: 0.75}}
)";

class FallbacksTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = std::filesystem::temp_directory_path();
    ASSERT_TRUE(write_file(folder / "p.safetensors", "x"));
    auto config = parse_config(kYaml, folder, process_environment());
    ASSERT_TRUE(config) << config.error().message;
    auto snapshot = make_snapshot(
        *std::move(config), [](const auto&) -> Result<std::shared_ptr<const predict::Router>> {
          return std::shared_ptr<const predict::Router>(std::make_shared<FakeRouter>());
        });
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    snapshot_ = *snapshot;
  }
  /// Who is chosen, and who follows, in order.
  std::string order(const std::string& model, const std::string& more = "",
                    const Overrides& overrides = {}, std::uint64_t seed = 1) {
    const std::string body = R"({"model":")" + model +
                             R"(","messages":[{"role":"user","content":"hello"}])" + more + "}";
    const auto request = wire::parse_chat_request(body);
    EXPECT_TRUE(request) << request.error().message;
    auto choice = decide_chat(*snapshot_, *request, overrides, seed, scratch_);
    EXPECT_TRUE(choice) << choice.error().message;
    std::string names = choice->model->name;
    Fallbacks fallbacks(*snapshot_, *request, *choice);
    while (const auto stand = fallbacks.next()) names += " " + stand->model->name;
    EXPECT_FALSE(fallbacks.next());
    return names;
  }
  std::shared_ptr<const Snapshot> snapshot_;
  DeciderScratch scratch_;
};

TEST_F(FallbacksTest, FollowThePolicyAndEndWithWhatNobodyMayPick) {
  EXPECT_EQ(order("auto"), "middle best cheap") << "unpriced is never among them";
  Overrides max_cost;
  max_cost.policy = decide::PolicySpec{decide::PolicyKind::kMaxCost, 0.0005, {}, {}};
  EXPECT_EQ(order("auto", "", max_cost), "cheap middle best") << "by the request's own policy";
}

TEST_F(FallbacksTest, AreOnlyThoseThatMayServeTheRequest) {
  EXPECT_EQ(order("auto", R"(,"tools":[{"type":"function","function":{"name":"f"}}])"),
            "middle cheap");
  EXPECT_EQ(order("auto", R"(,"max_tokens":5000)"), "best cheap") << "middle's window is too small";
}

TEST_F(FallbacksTest, DoNotExistForAPinnedArm) {
  Overrides pinned;
  pinned.arm = "cheap";
  EXPECT_EQ(order("auto", "", pinned), "cheap");
}

TEST_F(FallbacksTest, OfANamedModelAreItsOwnListWithoutThoseThatCannot) {
  EXPECT_EQ(order("cheap"), "cheap best middle unpriced");
  EXPECT_EQ(order("cheap", R"(,"tools":[{"type":"function","function":{"name":"f"}}])"),
            "cheap middle unpriced");
  EXPECT_EQ(order("best"), "best");
}

}  // namespace
}  // namespace rung::gateway
