#include "gateway/admin.h"

#include <gtest/gtest.h>

#include "json/value.h"
#include "state/testing.h"

namespace rung::gateway {
namespace {

using state::testing::answered;
using state::testing::kNoon;

struct World {
  explicit World(AdminOptions options = {}) {
    state::LedgerOptions of;
    of.path = ":memory:";
    of.keep_prompts = true;
    ledger = std::move(*state::Ledger::open(of));
    EXPECT_TRUE(ledger->flush());
    clock.advance(std::chrono::microseconds(kNoon - clock.wall_us()));
    api = std::make_unique<AdminApi>(*ledger, std::move(options), clock);
  }
  state::DecisionId add(state::RequestRecord record) {
    const state::DecisionId id = record.id;
    ledger->append(std::move(record));
    EXPECT_TRUE(ledger->flush());
    return id;
  }
  AdminReply get(std::string_view target) const {
    return api->handle("GET", target, "127.0.0.1:4001", "");
  }

  std::unique_ptr<state::Ledger> ledger;
  state::DecisionIdSource ids{1};
  ManualClock clock;
  std::unique_ptr<AdminApi> api;
};

TEST(AdminApi, ServesThePageAndItsPartsFromItself) {
  World world;
  EXPECT_NE(world.get("/").body.find("/dashboard.js"), std::string::npos);
  EXPECT_NE(world.get("/dashboard.js").body.find("/api/summary"), std::string::npos);
  EXPECT_NE(world.get("/dashboard.css").content_type.find("text/css"), std::string::npos);
  for (const char* part : {"/", "/dashboard.js", "/dashboard.css"}) {
    const std::string body = world.get(part).body;
    EXPECT_EQ(body.find("https://"), std::string::npos) << part;
    EXPECT_EQ(body.find("innerHTML"), std::string::npos) << part;
    EXPECT_EQ(body.find('\0'), std::string::npos) << part;
  }
}

TEST(AdminApi, RefusesHostsThatAnybodyCouldPointHere) {
  World world(
      AdminOptions{.token = {}, .allowed_hosts = {"rung.internal"}, .endpoint = {}, .routes = {}});
  for (const char* host :
       {"localhost", "localhost:4001", "LOCALHOST", "127.0.0.1", "127.0.0.1:4001", "[::1]:4001",
        "[::1]", "10.0.0.7:80", "rung.internal:4001"}) {
    EXPECT_EQ(world.api->handle("GET", "/", host, "").status, 200) << host;
  }
  for (const char* host : {"", "evil.example", "evil.example:4001", "localhost.evil.example",
                           "127.0.0.1.evil.example", "xlocalhost", "[evil]:1"}) {
    EXPECT_EQ(world.api->handle("GET", "/api/summary", host, "").status, 403) << host;
  }
}

TEST(AdminApi, OnlyReads) {
  World world;
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_EQ(world.api->handle(method, "/api/summary", "localhost", "").status, 405) << method;
  }
}

TEST(AdminApi, AsksForTheTokenWhereOneIsSet) {
  World world(AdminOptions{.token = "secret", .allowed_hosts = {}, .endpoint = {}, .routes = {}});
  const auto status = [&](std::string_view sent) {
    return world.api->handle("GET", "/api/summary", "localhost", sent).status;
  };
  EXPECT_EQ(status("Bearer secret"), 200);
  for (const char* sent : {"", "secret", "Bearer secre", "Bearer secrets", "bearer secret"}) {
    EXPECT_EQ(status(sent), 401) << sent;
  }
  EXPECT_EQ(world.get("/").status, 200) << "the page itself holds no data";
}

TEST(AdminApi, TheSecurityHeadersAllowNothingFromElsewhere) {
  std::string all;
  for (const AdminHeader& header : admin_headers())
    all.append(header.name).append(": ").append(header.value).append("\n");
  EXPECT_NE(all.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(all.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(all.find("unsafe"), std::string::npos);
}

TEST(AdminApi, SummaryKeepsUnknownApartFromZero) {
  World world;
  auto record = answered(world.ids, kNoon);
  record.calls[0].cost.reset();
  world.add(record);
  const AdminReply reply = world.get("/api/summary?since=3600&buckets=4");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = json::parse(reply.body);
  ASSERT_TRUE(body) << body.error().message;
  const auto all = *json::find(*body, "all");
  EXPECT_EQ(json::find(all, "requests")->integer(), 1);
  EXPECT_EQ(json::find(all, "cost_unknown")->integer(), 1);
  EXPECT_EQ(json::find(all, "compared")->integer(), 0);
  EXPECT_TRUE(json::find(all, "cached_tokens")->is_null());
  EXPECT_TRUE(json::find(all, "score")->is_null()) << "no feedback is not a score of 0";
}

TEST(AdminApi, AnEmptyLedgerSaysSo) {
  World world;
  const AdminReply reply = world.get("/api/summary");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_NE(reply.body.find("\"oldest_us\":null"), std::string::npos) << reply.body;
}

TEST(AdminApi, ExplainsOneDecisionAndKeepsHostileTextInsideItsString) {
  World world;
  auto record = answered(world.ids, kNoon);
  record.prompt = "</script><script>alert(1)</script>\"\n\xff";
  const auto id = world.add(record);
  const AdminReply reply = world.get("/api/decisions/" + id.str());
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = json::parse(reply.body);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(json::find(*body, "prompt")->text(),
            "</script><script>alert(1)</script>\"\n\xef\xbf\xbd");
  EXPECT_TRUE(json::find(*body, "seed")->equals("18364758544493064720")) << "all 64 bits, as text";
  EXPECT_TRUE(json::find(*body, "runner_up")->equals("large"));
  EXPECT_EQ(reply.content_type, "application/json") << "never read as a page";
}

TEST(AdminApi, PagesThroughDecisions) {
  World world;
  for (int i = 0; i < 5; ++i) world.add(answered(world.ids, kNoon - i));
  const AdminReply first = world.get("/api/decisions?limit=3");
  const auto body = json::parse(first.body);
  ASSERT_TRUE(body) << first.body;
  const std::string next = json::find(*body, "next_before")->text();
  const AdminReply second = world.get("/api/decisions?limit=3&before=" + next);
  EXPECT_NE(second.body.find("\"next_before\":null"), std::string::npos) << second.body;
}

TEST(AdminApi, RefusesParametersWithASentence) {
  World world;
  for (const char* target :
       {"/api/summary?since=x", "/api/summary?since=1", "/api/decisions?limit=0",
        "/api/decisions?before=zz", "/api/decisions?outcome=fine", "/api/summary?buckets=99999"}) {
    const AdminReply reply = world.get(target);
    EXPECT_EQ(reply.status, 400) << target;
    EXPECT_NE(reply.body.find("parameter"), std::string::npos) << reply.body;
  }
  EXPECT_EQ(world.get("/api/decisions/nothing").status, 404);
  EXPECT_EQ(world.get("/api/decisions/" + world.ids.next(kNoon).str()).status, 404);
  EXPECT_EQ(world.get("/../etc/passwd").status, 404);
}

TEST(AdminApi, NamesTheRoutesThatAreServed) {
  World world(AdminOptions{.token = {}, .allowed_hosts = {}, .endpoint = {}, .routes = [] {
                             return std::vector<AdminRoute>{
                                 {"auto", {"small", "large"}, "tradeoff", "default", "large"}};
                           }});
  EXPECT_NE(world.get("/api/routes").body.find("\"arms\":[\"small\",\"large\"]"),
            std::string::npos);
}

TEST(AdminApi, ALedgerThatIsOffIsUnavailableAndNotEmpty) {
  const auto off = std::move(*state::Ledger::open({}));
  const AdminApi api(*off);
  EXPECT_EQ(api.handle("GET", "/api/summary", "localhost", "").status, 503);
}

}  // namespace
}  // namespace rung::gateway
