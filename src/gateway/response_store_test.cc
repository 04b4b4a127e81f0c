#include "gateway/response_store.h"

#include <gtest/gtest.h>

#include "wire/exchange.h"

namespace rung::gateway {
namespace {

/// A request with the body that its views point into.
struct Asked {
  explicit Asked(std::string text) : body(std::move(text)) {
    auto parsed = wire::parse_request(wire::Dialect::kResponses, body);
    EXPECT_TRUE(parsed) << parsed.error().message;
    request = *std::move(parsed);
  }
  std::string body;
  wire::Request request;
};

const char* const kResponse =
    R"({"id":"resp_1","output":[{"id":"msg_1","type":"message","role":"assistant","content":"hi"},{"id":"fc_1","type":"function_call"}]})";

TEST(ResponseStore, PutsWhatIsReferredToInItsPlace) {
  ResponseStore store;
  store.keep("a", Asked(R"({"model":"m","input":"hello"})").request, kResponse);
  const Asked next(R"({"model":"m","x":1.0,"previous_response_id":"resp_1","input":"more"})");
  EXPECT_EQ(
      store.expand("a", next.request, next.body),
      R"({"model":"m","x":1.0,"previous_response_id":null,"input":[{"role":"user","content":"hello"},)"
      R"({"id":"msg_1","type":"message","role":"assistant","content":"hi"},{"id":"fc_1","type":"function_call"},)"
      R"({"role":"user","content":"more"}]})");
  const Asked item(
      R"({"model":"m","input":[{"type":"item_reference","id":"fc_1"},{"type":"item_reference","id":"fc_9"}]})");
  EXPECT_EQ(
      store.expand("a", item.request, item.body),
      R"({"model":"m","input":[{"id":"fc_1","type":"function_call"},{"type":"item_reference","id":"fc_9"}]})");
}

TEST(ResponseStore, ShowsNobodyWhatIsAnothers) {
  ResponseStore store;
  store.keep("a", Asked(R"({"model":"m","input":"hello"})").request, kResponse);
  const Asked next(R"({"model":"m","previous_response_id":"resp_1","input":"more"})");
  EXPECT_EQ(store.expand("b", next.request, next.body), std::nullopt);
  const Asked item(R"({"model":"m","input":[{"type":"item_reference","id":"fc_1"}]})");
  EXPECT_EQ(store.expand("b", item.request, item.body), std::nullopt);
}

TEST(ResponseStore, ForgetsTheOldestWhenThereIsNoRoom) {
  ResponseStore store(10'000);
  const std::string words(1000, 'x');
  const auto name = [](int i) { return "resp_" + std::to_string(i); };
  for (int i = 0; i < 20; ++i)
    store.keep(
        "a", Asked(R"({"model":"m","input":")" + words + R"("})").request,
        R"({"id":")" + name(i) + R"(","output":[{"id":"msg_)" + std::to_string(i) + R"("}]})");
  const auto knows = [&](int i) {
    const Asked next(R"({"model":"m","previous_response_id":")" + name(i) + R"(","input":"q"})");
    return store.expand("a", next.request, next.body).has_value();
  };
  EXPECT_FALSE(knows(0));
  EXPECT_TRUE(knows(19));
  store.keep("a", Asked(R"({"model":"m","input":")" + std::string(5000, 'x') + R"("})").request,
             R"({"id":"resp_big","output":[]})");
  EXPECT_TRUE(knows(19));  // one that is too large drives out nobody
}

}  // namespace
}  // namespace rung::gateway
