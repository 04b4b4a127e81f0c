#include "gateway/decider.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/file.h"

namespace rung::gateway {
namespace {

/// Two reference arms; prompts that say "hard" need the strong one.
class FakeRouter final : public predict::Router {
 public:
  FakeRouter() {
    arms_.resize(3);
    arms_[0].name = "ref-small";
    arms_[1].name = "ref-large";
    arms_[2].name = "ref-costed";
    for (auto& arm : arms_) arm.has_cost = true;
    arms_[0].mean_quality = 0.6f, arms_[0].mean_cost_usd = 0.001f;
    arms_[1].mean_quality = 0.95f, arms_[1].mean_cost_usd = 0.01f;
    arms_[0].has_tokens = arms_[1].has_tokens = true;
  }
  std::span<const predict::ArmInfo> arms() const override { return arms_; }
  void estimate_for(std::span<const std::uint32_t>, std::string_view prompt,
                    std::span<predict::Estimate> out, predict::Scratch&) const override {
    const bool hard = prompt.find("hard") != std::string_view::npos;
    out[0] = {hard ? 0.3f : 0.9f, 0.05f, 0.001f, 100, true, true};
    out[1] = {0.95f, 0.02f, 0.01f, 200, true, true};
    out[2] = {0.5f, 0.02f, 0.02f, 0, true, false};
  }
  std::string_view metadata(std::string_view) const override { return {}; }
  bool is_static() const override { return false; }

 private:
  std::vector<predict::ArmInfo> arms_;
};

const std::string kYaml = R"(
upstreams: {u: {base_url: http://127.0.0.1:1/v1}}
models:
  small: {upstream: u, like: ref-small, supports: [tools], context: 2000, price: {input: 0.1, output: 0.4}}
  large: {upstream: u, like: ref-large, supports: [tools, vision], price: {input: 1, cached_input: 0.1, output: 10}}
  other: {upstream: u, supports: [json_schema], price: {input: 1, output: 1}}
  unpriced: {upstream: u, like: ref-small}
routes:
  auto: {arms: [small, large, other, unpriced], predictor: p.safetensors, policy: {kind: tradeoff, usd_per_point: 0.0001}}
  held: {arms: [small, large], predictor: p.safetensors, policy: {kind: tradeoff, usd_per_point: 0.0001, margin: 20}}
  one: {arms: [small]}
)";

class DeciderTest : public testing::Test {
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
  Result<Choice> decide(const std::string& model, const std::string& text,
                        const std::string& more = "", const Overrides& overrides = {}) {
    body_ = R"({"model":")" + model + R"(","messages":[{"role":"user","content":")" + text +
            "\"}]" + more + "}";
    auto request = wire::parse_chat_request(body_);
    if (!request) return request.error();
    return decide_chat(*snapshot_, *request, overrides, 1, scratch_);
  }
  std::shared_ptr<const Snapshot> snapshot_;
  DeciderScratch scratch_;
  std::string body_;
};

TEST_F(DeciderTest, SendsEasyPromptsToTheSmallModelAndHardOnesToTheLarge) {
  EXPECT_EQ(decide("auto", "easy")->model->name, "small");
  const auto hard = decide("auto", "hard");
  EXPECT_EQ(hard->model->name, "large");
  EXPECT_EQ(hard->outlook[*hard->runner_up].arm->label, "small");
  // 2 prompt tokens and 200 expected ones at 1 and 10 USD a million.
  EXPECT_NEAR(*hard->outlook[1].cost_usd, (2 * 1 + 200 * 10) * 1e-6, 1e-12);
}

TEST_F(DeciderTest, NeverPicksWhatCannotServeOrWhatNobodyKnows) {
  EXPECT_EQ(
      decide("auto", "easy", R"(,"messages":[{"role":"user","content":[{"type":"image_url"}]}])")
          ->model->name,
      "large");
  EXPECT_EQ(decide("auto", std::string(9000, 'a'))->model->name, "large");
  const auto easy = decide("auto", "easy");
  EXPECT_EQ(easy->outlook[2].why_not, "the predictor does not know it and it says no `like`");
  EXPECT_EQ(easy->outlook[3].why_not, "it has no `price`: an unknown cost is never taken for free");
  const auto none = decide("auto", "easy", R"(,"response_format":{"type":"json_schema"})");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInfeasible);
  EXPECT_NE(none.error().message.find("small: the request asks for a JSON schema"),
            std::string::npos);
}

TEST_F(DeciderTest, WithinTheMarginTheArmThatIsBestOnAverageAtOurPricesStays) {
  // Large is best on average at the configured prices, though not at those of training; on an easy
  // prompt small is ahead by some 15 points.
  EXPECT_EQ(decide("auto", "easy")->model->name, "small");
  const auto held = decide("held", "easy");
  EXPECT_EQ(held->model->name, "large");
  EXPECT_NE(held->reason.find("within the margin of 20"), std::string::npos) << held->reason;
  // A request's own exchange rate keeps the route's margin; large is then too dear on average.
  EXPECT_EQ(decide("held", "easy", "", *parse_overrides("0.00001", "", "", ""))->model->name,
            "small");
  EXPECT_EQ(decide("held", "easy", "", *parse_overrides("0.0001", "", "", ""))->model->name,
            "large");
}

TEST_F(DeciderTest, ModelsByNamePassStraightThrough) {
  const auto named = decide("unpriced", "easy");
  EXPECT_EQ(named->model->name, "unpriced");
  EXPECT_EQ(named->route, nullptr);
  const auto typo = decide("smal", "easy");
  EXPECT_EQ(typo.error().code, ErrorCode::kNotFound);
  EXPECT_NE(typo.error().message.find("did you mean small?"), std::string::npos);
  EXPECT_EQ(decide("one", "easy")->model->name, "small");
}

TEST_F(DeciderTest, TakesRouteLlmNames) {
  EXPECT_EQ(decide("router-auto-0.1", "hard")->model->name, "large");
  EXPECT_EQ(decide("router-p-0.9", "hard")->model->name, "small");
  for (const char* model : {"router-p-1.5", "router-p--0.1", "router-p-nan", "router-p-inf",
                            "router-p-", "router-p-0.5x", "router-p", "router-"})
    EXPECT_EQ(decide(model, "hard").error().code, ErrorCode::kInvalidArgument) << model;
  EXPECT_EQ(decide("router-auto-1e-1", "hard")->model->name, "large");
  EXPECT_EQ(decide("router-none-0.5", "hard").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(decide("router-autos-0.5", "hard").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(decide("router-one-0.5", "hard").error().code, ErrorCode::kInfeasible);
}

/// A published router: of a pair (strong, weak) without costs, or with scores by alpha.
class PublishedRouter final : public predict::Router {
 public:
  explicit PublishedRouter(bool pair) : pair_(pair) {
    arms_.resize(2);
    arms_[0].name = "ref-large";
    arms_[1].name = "ref-small";
    for (auto& arm : arms_) arm.has_cost = !pair;
  }
  std::span<const predict::ArmInfo> arms() const override { return arms_; }
  void estimate_for(std::span<const std::uint32_t>, std::string_view prompt,
                    std::span<predict::Estimate> out, predict::Scratch&) const override {
    const bool hard = prompt.find("hard") != std::string_view::npos;
    out[0] = {hard ? 0.375f : 0.125f, 0.5f, pair_ ? 0 : 0.01f, 0, !pair_, false};
    out[1] = {1 - out[0].quality, 0.5f, pair_ ? 0 : 0.001f, 0, !pair_, false};
  }
  bool utilities(std::string_view, float alpha, std::span<const std::uint8_t> capable,
                 std::span<float> out, predict::Scratch&) const override {
    if (pair_) return false;
    out[0] = alpha;
    out[1] = 1 - alpha;
    for (std::size_t i = 0; i < capable.size(); ++i)
      if (capable[i] == 0) out[i] = -std::numeric_limits<float>::infinity();
    return true;
  }
  std::string_view metadata(std::string_view key) const override {
    return key == "quality_scale" && pair_ ? "win_chance"
           : key == "method"               ? (pair_ ? "routellm-mf" : "avengers-pro")
                                           : "";
  }
  bool is_static() const override { return false; }

 private:
  bool pair_;
  std::vector<predict::ArmInfo> arms_;
};

/// The same models behind a published router.
class PublishedTest : public DeciderTest {
 protected:
  void SetUp() override {}
  Result<void> start(bool pair, const std::string& policy) {
    const auto folder = std::filesystem::temp_directory_path();
    EXPECT_TRUE(write_file(folder / "p.safetensors", "x"));
    std::string yaml = kYaml;
    const std::string old = "{kind: tradeoff, usd_per_point: 0.0001}";
    yaml.replace(yaml.find(old), old.size(), policy);
    const auto held = yaml.find("  held:");  // its policy reads scores, which a pair does not give
    yaml.erase(held, yaml.find('\n', held) + 1 - held);
    auto config = parse_config(yaml, folder, process_environment());
    if (!config) return config.error();
    auto snapshot = make_snapshot(*std::move(config), [pair](const auto&) {
      return Result<std::shared_ptr<const predict::Router>>(
          std::make_shared<PublishedRouter>(pair));
    });
    if (!snapshot) return snapshot.error();
    snapshot_ = *snapshot;
    return {};
  }
};

TEST_F(PublishedTest, APairIsServedByThresholdWithoutKnowingAnyCost) {
  ASSERT_TRUE(start(true, "{kind: threshold, threshold: 0.3, strong: large, weak: small}"));
  EXPECT_EQ(decide("auto", "hard")->model->name, "large");
  EXPECT_EQ(decide("auto", "easy")->model->name, "small");
  EXPECT_FALSE(decide("auto", "easy")->outlook[0].cost_usd);
  EXPECT_EQ(decide("router-p-0.375", "hard")->model->name, "large");  // inclusive
  EXPECT_EQ(decide("router-p-0.376", "hard")->model->name, "small");
  EXPECT_EQ(decide("router-auto-0", "easy")->model->name, "large");
  EXPECT_EQ(decide("router-p-nan", "hard").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PublishedTest, StrongIsTheRoutersStrongArmWhateverThePrices) {
  ASSERT_TRUE(start(true,
                    "{kind: threshold, threshold: 0.3, strong: large, weak: small}, "
                    "reference: small"));
  EXPECT_EQ(decide("router-p-0.1", "hard")->model->name, "large");
}

TEST_F(PublishedTest, ChancesAreNotTakenForScores) {
  const auto refused = start(true, "{kind: tradeoff, usd_per_point: 0.001}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidConfig);
  EXPECT_NE(refused.error().message.find("kind: threshold"), std::string::npos);
  ASSERT_TRUE(start(true, "{kind: threshold, threshold: 0.3, strong: large, weak: small}"));
  const auto header = parse_overrides("", "0.9", "", "");
  EXPECT_EQ(decide("auto", "hard", "", *header).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PublishedTest, AlphaPicksTheGreatestScoreAmongThoseThatCanServe) {
  ASSERT_TRUE(start(false, "{kind: alpha, alpha: 0.75}"));
  const auto choice = decide("auto", "easy");
  EXPECT_EQ(choice->model->name, "large");
  EXPECT_EQ(choice->policy, "alpha");
  EXPECT_EQ(choice->policy_parameter, 0.75);
  ASSERT_TRUE(start(false, "{kind: alpha, alpha: 0.25}"));
  EXPECT_EQ(decide("auto", "easy")->model->name, "small");
  // The small model has no vision and is out before anything is scored.
  EXPECT_EQ(
      decide("auto", "easy", R"(,"messages":[{"role":"user","content":[{"type":"image_url"}]}])")
          ->model->name,
      "large");
  const auto none = start(true, "{kind: alpha, alpha: 0.25}");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidConfig);
  EXPECT_FALSE(start(false, "{kind: alpha, alpha: 1.25}"));
}

TEST_F(DeciderTest, HeadersOverrideThePolicyOrPinAnArm) {
  EXPECT_EQ(decide("auto", "hard", "", *parse_overrides("", "", "0.0001", ""))->model->name,
            "small");
  EXPECT_EQ(decide("auto", "easy", "", *parse_overrides("", "0.93", "", ""))->model->name, "large");
  EXPECT_EQ(decide("auto", "easy", "", *parse_overrides("", "", "", "other"))->model->name,
            "other");
  EXPECT_EQ(decide("auto", "easy", "", *parse_overrides("", "", "", "gone")).error().field,
            "x-rung-arm");
  EXPECT_EQ(decide("auto", "easy", R"(,"tools":[{"function":{"name":"f"}}])",
                   *parse_overrides("", "", "", "other"))
                .error()
                .code,
            ErrorCode::kInfeasible);
  EXPECT_EQ(parse_overrides("x", "", "", "").error().field, "x-rung-usd-per-point");
  EXPECT_EQ(parse_overrides("", "2", "", "").error().field, "x-rung-target-quality");
  EXPECT_FALSE(parse_overrides("1", "0.5", "", ""));
}

TEST_F(DeciderTest, UnknownLikeIsRefusedWithAGuess) {
  std::string yaml = kYaml;
  yaml.replace(yaml.find("ref-small"), 9, "ref-smal");
  auto config = parse_config(yaml, std::filesystem::temp_directory_path(), process_environment());
  const auto snapshot = make_snapshot(
      *std::move(config), [](const auto&) -> Result<std::shared_ptr<const predict::Router>> {
        return std::shared_ptr<const predict::Router>(std::make_shared<FakeRouter>());
      });
  ASSERT_FALSE(snapshot);
  EXPECT_NE(snapshot.error().message.find("did you mean ref-small?"), std::string::npos);
}

TEST_F(DeciderTest, CostNeedsPriceAndBothCounts) {
  const ModelConfig& large = *snapshot_->model_by_name.at("large");
  wire::Usage usage;
  usage.prompt_tokens = 100;
  EXPECT_FALSE(cost_of(large, usage));
  usage.completion_tokens = 10;
  EXPECT_EQ(cost_of(large, usage)->count, 200'000);
  usage.cached_tokens = 60;
  EXPECT_EQ(cost_of(large, usage)->count, 40 * 1000 + 60 * 100 + 10 * 10'000);
  EXPECT_FALSE(cost_of(*snapshot_->model_by_name.at("unpriced"), usage));
}

}  // namespace
}  // namespace rung::gateway
