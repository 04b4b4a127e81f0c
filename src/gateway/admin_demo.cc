// admin_demo LEDGER [COUNT]: adds COUNT invented requests of the last day to LEDGER (0: none), then
// answers one admin request per line of standard input ("GET /api/summary") with "STATUS TYPE
// LENGTH" and the body. For looking at the dashboard without traffic; see docs/dashboard.md.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "base/random.h"
#include "gateway/admin.h"

namespace {

using namespace rung;
using namespace rung::state;

struct InventedArm {
  const char* name;
  double quality, price_in, price_out;  // USD per million tokens
  double first_ms, tokens_per_second;
};
constexpr InventedArm kArms[] = {{"small", 0.66, 0.05, 0.20, 45, 160},
                                 {"small x5", 0.74, 0.25, 1.00, 60, 120},
                                 {"large@low", 0.83, 1.25, 10, 320, 75},
                                 {"large@high", 0.90, 1.25, 10, 900, 70}};

NanoUsd price(const InventedArm& arm, double in, double out) {
  return *nano_usd(Usd{(in * arm.price_in + out * arm.price_out) * 1e-6});
}

void invent(Ledger& ledger, int count) {
  Rng rng(7);
  DecisionIdSource ids(7);
  const std::int64_t now = Clock().wall_us();
  for (int i = 0; i < count; ++i) {
    const double age = (count - i - rng.uniform()) / count;
    RequestRecord r;
    r.time_us = now - static_cast<std::int64_t>(age * 86400e6);
    if (rng.uniform() > 0.45 + 0.45 * std::sin(age * 9)) continue;  // a day has busy hours
    r.id = ids.next(r.time_us);
    r.route = r.requested_model = "auto";
    const double hard = rng.uniform(), in = 60 + 900 * rng.uniform() * rng.uniform();
    const bool has_image = rng.uniform() < 0.05;
    double best = -1e9;
    std::size_t chosen = 0, second = 0;
    for (std::size_t a = 0; a < std::size(kArms); ++a) {
      const double out = (a == 3 ? 700 : 220) * (0.5 + hard);
      ArmEstimate e{kArms[a].name, "", {}, {}, {}, {}};
      if (has_image && a < 2) {
        e.why_not = "the request has an image, and this model supports none";
      } else {
        const double quality =
            kArms[a].quality + (0.5 - hard) * (1 - kArms[a].quality) * 1.6 + 0.03 * rng.normal();
        e.quality = static_cast<float>(std::min(0.99, std::max(0.05, quality)));
        e.quality_se = static_cast<float>(0.02 + 0.05 * rng.uniform());
        e.cost = price(kArms[a], in, out);
        e.completion_tokens = static_cast<float>(out);
        const double value =
            static_cast<double>(*e.quality) * 100 * 0.0005 - e.cost->usd().value * 2.2;
        if (value > best) {
          best = value;
          second = chosen;
          chosen = a;
        }
      }
      r.arms.push_back(std::move(e));
    }
    if (second == chosen) second = chosen == 2 ? 3 : 2;
    const InventedArm& arm = kArms[chosen];
    r.arm = arm.name;
    r.served_model = chosen < 2 ? "small" : "large";
    r.upstream = chosen < 2 ? "local" : "openai";
    r.strategy = chosen == 1 ? "best_of_n" : "single";
    r.policy = "tradeoff";
    r.policy_parameter = 0.0005;
    r.predictor = "default.safetensors";
    r.reason = std::string("best value at 0.0005 USD per point: ") + arm.name;
    r.runner_up = kArms[second].name;
    r.propensity = 1.0;
    r.seed = rng.next();
    r.prompt_hash = rng.next();
    r.prompt = "(invented for the demonstration)";
    r.streaming = rng.uniform() < 0.6;
    r.gateway_us = 90 + static_cast<std::int64_t>(rng.below(120));
    CallRecord c;
    c.upstream = r.upstream;
    c.model = chosen < 2 ? "qwen3-8b" : "gpt-5.1";
    const double out =
        static_cast<double>(*r.arms[chosen].completion_tokens) * (0.6 + 0.8 * rng.uniform());
    c.start_us = 100;
    c.first_byte_us = 100 + static_cast<std::int64_t>(arm.first_ms * 1000 * (0.7 + rng.uniform()));
    c.end_us = *c.first_byte_us + static_cast<std::int64_t>(out / arm.tokens_per_second * 1e6);
    c.status = 200;
    c.prompt_tokens = static_cast<std::int64_t>(in);
    c.completion_tokens = static_cast<std::int64_t>(out);
    if (chosen >= 2) c.cached_tokens = 0;
    c.usage_source = UsageSource::kProvider;
    c.cost = price(arm, in, out);
    r.reference_arm = "large@high";
    r.reference_estimate = r.arms[3].cost;
    r.reference_cost = price(kArms[3], in, out);
    r.http_status = 200;
    const double luck = rng.uniform();
    if (luck < 0.012) {
      r.outcome = c.outcome = Outcome::kUpstreamError;
      r.http_status = 502;
      c.status = 503;
      r.error = c.error = "upstream answered 503: overloaded";
      c.usage_source = UsageSource::kNone;
      c.prompt_tokens.reset();
      c.completion_tokens.reset();
      c.cost = NanoUsd{0};
      r.reference_cost.reset();
    } else if (luck < 0.03) {
      r.outcome = c.outcome = Outcome::kClientGone;
      r.http_status = 499;
      c.usage_source = UsageSource::kEstimate;
    } else if (luck < 0.04) {
      c.cost.reset();
      c.usage_source = UsageSource::kNone;
      c.prompt_tokens.reset();
      c.completion_tokens.reset();
    }
    r.first_byte_us = c.first_byte_us;
    r.total_us = c.end_us + 60;
    r.calls.push_back(std::move(c));
    const DecisionId id = r.id;
    const double truth = static_cast<double>(*r.arms[chosen].quality);
    const std::int64_t later = r.time_us + 60'000'000;
    ledger.append(std::move(r));
    if (chosen != 3 && rng.uniform() < 0.06) {
      const bool liked = rng.uniform() < truth;
      if (!ledger.feedback({id, liked ? 1.0 : 0.0, "user", liked ? "" : "not what I asked", later}))
        continue;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: admin_demo LEDGER [COUNT]\n", stderr);
    return 2;
  }
  LedgerOptions options;
  options.path = argv[1];
  options.keep_prompts = true;
  auto ledger = Ledger::open(options);
  if (!ledger) {
    std::fprintf(stderr, "%s\n", ledger.error().message.c_str());
    return 2;
  }
  invent(**ledger, argc > 2 ? std::atoi(argv[2]) : 4000);
  if (auto done = (*ledger)->flush(); !done)
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
  const gateway::AdminApi api(**ledger);
  std::string method, target;
  while (std::cin >> method >> target) {
    const gateway::AdminReply reply = api.handle(method, target, "localhost", "");
    std::cout << reply.status << '|' << reply.content_type << '|' << reply.body.size() << '\n'
              << reply.body << std::flush;
  }
  return 0;
}
