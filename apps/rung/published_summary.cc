#include "published_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "json/write.h"

#ifndef RUNG_NO_PREDICT
namespace rung::cli {
namespace {

/// The policy that serves it, as a line of the configuration.
std::string policy(const predict::PublishedModel& model) {
  const auto* method = predict::find_published(model.method);
  if (method->knob == "threshold")
    return fmt::format("{{kind: threshold, threshold: 0.5, strong: {}, weak: {}}}",
                       model.arms[0].name, model.arms[1].name);
  if (method->knob == "target_quality") return "{kind: target_quality, target_quality: 0.5}";
  return model.method == "avengers" ? "{kind: alpha, alpha: 1}" : "{kind: alpha, alpha: 0.5}";
}

}  // namespace

std::string published_text(const predict::PublishedModel& model, const std::string& out,
                           std::size_t bytes) {
  const auto* method = predict::find_published(model.method);
  std::size_t width = 4;
  for (const auto& arm : model.arms) width = std::max(width, arm.name.size());
  std::string text = fmt::format("trained on {} rows, method {} ({})\n  {}\n\n", model.rows,
                                 model.method, method->paper, model.members.at(0).detail);
  text +=
      fmt::format("  {:<{}}  {:>7}  {:>12}  {:>8}\n", "arm", width, "score", "USD / 1000", "rows");
  for (std::size_t i = 0; i < model.arms.size(); ++i) {
    const auto& arm = model.arms[i];
    std::string_view role;
    if (method->quality_scale == "win_chance") role = i == 0 ? "  strong" : "  weak";
    if (method->quality_scale == "match_chance" && i + 1 == model.arms.size()) role = "  reference";
    text += fmt::format("  {:<{}}  {:>7.3f}  {:>12}  {:>8}{}\n", arm.name, width, arm.mean_quality,
                        arm.has_cost ? fmt::format("{:.4f}", 1000 * arm.mean_cost_usd) : "unknown",
                        arm.rows, role);
  }
  return text + fmt::format(
                    "\nnothing was judged here: rung evaluate and rung compare do, on other rows\n"
                    "serve it with policy: {}\nwrote {} ({:.1f} MiB)\n",
                    policy(model), out, static_cast<double>(bytes) / (1 << 20));
}

std::string published_json(const predict::PublishedModel& model, const std::string& out,
                           const std::string& sha256, std::size_t bytes) {
  json::Writer w;
  w.begin_object().key("router").string(out).key("bytes").number(bytes);
  w.key("rows").number(model.rows).key("method").string(model.method);
  w.key("seed").number(model.seed).key("static").boolean(false);
  w.key("hull_gain").null().key("hull_gain_se").null();
  w.key("training_data_sha256").string(sha256).key("policy").string(policy(model));
  w.key("members").begin_array();
  for (const auto& member : model.members) {
    w.begin_object().key("name").string(member.name).key("weight").number(member.weight);
    w.key("detail").string(member.detail).end_object();
  }
  w.end_array().key("arms").begin_array();
  for (const auto& arm : model.arms) {
    w.begin_object().key("name").string(arm.name).key("kept").boolean(arm.kept);
    w.key("rows").number(arm.rows).key("score").number(static_cast<double>(arm.mean_quality));
    w.key("cost");
    arm.has_cost ? w.number(static_cast<double>(arm.mean_cost_usd)) : w.null();
    w.end_object();
  }
  w.end_array().end_object();
  return w.take() + "\n";
}

}  // namespace rung::cli
#endif
