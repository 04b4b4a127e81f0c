#include "outcomes/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rung::outcomes {
namespace {

constexpr double kWidth = 960, kHeight = 540;
constexpr double kLeft = 64, kRight = 24, kTop = 20, kBottom = 56;
constexpr double kLogFrom = 20;  // costs that span more than this factor get a logarithmic axis
constexpr double kCharWidth = 7.1, kLineHeight = 14;  // of a label at 12 px, in a wide face
constexpr int kSteps =
    160;  // pieces of a drawn curve: a straight mixture is bent on a logarithmic axis

struct Box {
  double left, top, right, bottom;
  bool meets(const Box& o) const {
    return left < o.right && o.left < right && top < o.bottom && o.top < bottom;
  }
};

class Axes {
 public:
  explicit Axes(const Comparison& c) {
    const auto see = [&](const Point& p) {
      if (!std::isfinite(p.cost) || !std::isfinite(p.score)) return;
      low_cost_ = std::min(low_cost_, p.cost);
      high_cost_ = std::max(high_cost_, p.cost);
      low_score_ = std::min(low_score_, p.score);
      high_score_ = std::max(high_score_, p.score);
    };
    for (const ArmSummary& arm : c.arms) see(arm.mean);
    for (const Point& p : c.gain.router.vertices()) see(p);
    for (const Point& p : c.oracle_curve) see(p);
    see(c.random);
    for (std::size_t i = 0; i < c.gain.router_low.size(); ++i) {
      see({c.gain.budgets[i], c.gain.router_low[i]});
      see({c.gain.budgets[i], c.gain.router_high[i]});
    }
    log_ = low_cost_ > 0 && high_cost_ / low_cost_ > kLogFrom;
    if (log_) {
      low_cost_ /= 1.15;
      high_cost_ *= 1.6;  // room for labels on the right
    } else {
      const double pad = std::max((high_cost_ - low_cost_) * 0.06, high_cost_ * 1e-3 + 1e-12);
      low_cost_ = std::max(0.0, low_cost_ - pad);
      high_cost_ += 2 * pad;
    }
    const double pad = std::max((high_score_ - low_score_) * 0.06, 0.01);
    low_score_ = std::max(0.0, low_score_ - pad);
    high_score_ = std::min(1.02, high_score_ + pad);
  }
  double x(double cost) const {
    const double share = log_ ? std::log(cost / low_cost_) / std::log(high_cost_ / low_cost_)
                              : (cost - low_cost_) / (high_cost_ - low_cost_);
    return kLeft + share * (kWidth - kLeft - kRight);
  }
  double y(double score) const {
    return kHeight - kBottom -
           (score - low_score_) / (high_score_ - low_score_) * (kHeight - kTop - kBottom);
  }
  double cost_at(double share) const {
    return log_ ? low_cost_ * std::pow(high_cost_ / low_cost_, share)
                : low_cost_ + share * (high_cost_ - low_cost_);
  }

  std::string grid() const {
    std::string out;
    const double step = nice((high_score_ - low_score_) / 6);
    for (double s = std::ceil(low_score_ / step) * step; s <= high_score_; s += step) {
      out += fmt::format(
          "<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/><text class='tick' "
          "x='{:.1f}' y='{:.1f}' text-anchor='end'>{:.{}f}</text>\n",
          kLeft, kWidth - kRight, y(s), y(s), kLeft - 8, y(s) + 4, 100 * s, step < 0.01 ? 1 : 0);
    }
    for (const double cost : cost_ticks()) {
      out += fmt::format(
          "<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/><text class='tick' "
          "x='{:.1f}' y='{:.1f}' text-anchor='middle'>${:.4g}</text>\n",
          x(cost), x(cost), kTop, kHeight - kBottom, x(cost), kHeight - kBottom + 18, 1000 * cost);
    }
    out += fmt::format(
        "<text class='axis' x='{:.1f}' y='{:.1f}' text-anchor='middle'>mean cost per 1,000 queries "
        "(USD{})</text>\n",
        (kLeft + kWidth - kRight) / 2, kHeight - 12, log_ ? ", logarithmic" : "");
    out += fmt::format(
        "<text class='axis' transform='translate(16 {:.1f}) rotate(-90)' text-anchor='middle'>mean "
        "score (points)</text>\n",
        (kTop + kHeight - kBottom) / 2);
    return out;
  }

 private:
  static double nice(double rough) {
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double m : {1.0, 2.0, 5.0}) {
      if (rough <= m * power) return m * power;
    }
    return 10 * power;
  }
  std::vector<double> cost_ticks() const {
    std::vector<double> ticks;
    if (!log_) {
      const double step = nice((high_cost_ - low_cost_) / 7);
      for (double c = std::ceil(low_cost_ / step) * step; c <= high_cost_; c += step)
        ticks.push_back(c);
      return ticks;
    }
    for (double power = std::pow(10, std::floor(std::log10(low_cost_))); power <= high_cost_;
         power *= 10) {
      for (const double m : {1.0, 2.0, 5.0}) {
        if (m * power >= low_cost_ && m * power <= high_cost_) ticks.push_back(m * power);
      }
    }
    return ticks;
  }
  double low_cost_ = 1e300, high_cost_ = 0, low_score_ = 1e300, high_score_ = 0;
  bool log_ = false;
};

// An envelope, from its cheapest point to `last`, bent as the axis bends it.
std::string curve(const Axes& axes, const Hull& hull, double last, std::string_view kind,
                  std::string_view title) {
  std::string path;
  const auto add = [&](double cost) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", axes.x(cost),
                        axes.y(*hull.at(cost)));
  };
  std::vector<double> costs;
  for (int i = 0; i <= kSteps; ++i) costs.push_back(axes.cost_at(static_cast<double>(i) / kSteps));
  for (const Point& p : hull.vertices()) costs.push_back(p.cost);
  costs.push_back(last);
  std::sort(costs.begin(), costs.end());
  for (const double cost : costs) {
    if (cost >= hull.cheapest().cost && cost <= last) add(cost);
  }
  return fmt::format("<path class='{}' d='{}'><title>{}</title></path>\n", kind, path, title);
}

std::string band(const Axes& axes, const HullGain& gain) {
  if (gain.router_low.empty()) return {};
  std::string path;
  for (std::size_t i = 0; i < gain.budgets.size(); ++i) {
    path += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", axes.x(gain.budgets[i]),
                        axes.y(gain.router_high[i]));
  }
  for (std::size_t i = gain.budgets.size(); i-- > 0;) {
    path += fmt::format("L{:.1f} {:.1f}", axes.x(gain.budgets[i]), axes.y(gain.router_low[i]));
  }
  return fmt::format("<path class='band' d='{}Z'><title>router, 95 % band</title></path>\n", path);
}

// Puts each name where it covers no point and no other name; the hull's arms choose first. A name
// without room is left to the hover title and the table.
class Labels {
 public:
  void occupy(double x, double y) { boxes_.push_back({x - 5, y - 5, x + 5, y + 5}); }
  void avoid(const Axes& axes, const Hull& hull, double last) {
    for (int i = 0; i <= kSteps; ++i) {
      const double cost = axes.cost_at(static_cast<double>(i) / kSteps);
      if (cost < hull.cheapest().cost || cost > last) continue;
      const double x = axes.x(cost), y = axes.y(*hull.at(cost));
      boxes_.push_back({x - 3, y - 2, x + 3, y + 2});
    }
  }
  std::string place(std::string_view name, double x, double y, std::string_view kind) {
    const double width = kCharWidth * static_cast<double>(name.size());
    for (const double rise : {0.0, -9.0, 9.0, -17.0, 17.0}) {
      for (const bool right : {true, false}) {
        const double left = right ? x + 9 : x - 9 - width;
        const Box box{left, y + rise - kLineHeight / 2, left + width, y + rise + kLineHeight / 2};
        if (box.left < kLeft || box.right > kWidth - 2 || box.top < kTop ||
            box.bottom > kHeight - kBottom)
          continue;
        if (std::any_of(boxes_.begin(), boxes_.end(), [&](const Box& b) { return b.meets(box); }))
          continue;
        boxes_.push_back(box);
        return fmt::format("<text class='{}' x='{:.1f}' y='{:.1f}' text-anchor='{}'>{}</text>\n",
                           kind, right ? left : left + width, y + rise + 4, right ? "start" : "end",
                           escape_html(name));
      }
    }
    return {};
  }

 private:
  std::vector<Box> boxes_;
};

std::string dot(const Axes& axes, const Point& p, std::string_view kind, std::string_view title,
                double radius = 4.5) {
  return fmt::format(
      "<circle class='{}' cx='{:.1f}' cy='{:.1f}' r='{}'><title>{}: {:.2f} points at ${:.4g} per "
      "1,000</title></circle>\n",
      kind, axes.x(p.cost), axes.y(p.score), radius, escape_html(title), 100 * p.score,
      1000 * p.cost);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string cost_quality_chart(const Comparison& c) {
  const Axes axes(c);
  std::string out = fmt::format(
      "<svg viewBox='0 0 {:.0f} {:.0f}' role='img' aria-label='mean score against mean cost'>\n",
      kWidth, kHeight);
  out += axes.grid();
  out += band(axes, c.gain);
  const Hull oracle(c.oracle_curve);
  const double end = c.gain.static_hull.best().cost;
  if (!oracle.empty())
    out += curve(axes, oracle, std::max(oracle.cheapest().cost, oracle.best().cost), "oracle",
                 "oracle: the best arm for each query");
  out += curve(axes, c.gain.static_hull, end, "static", "static hull: the best fixed mixtures");
  if (c.task_label)
    out += curve(axes, c.task_label->router, std::max(c.task_label->router.best().cost, end),
                 "label", "routing by the true task label");
  out += curve(axes, c.gain.router, std::max(c.gain.router.best().cost, end), "router", "router");
  Labels labels;
  labels.avoid(axes, c.gain.static_hull, end);
  labels.avoid(axes, c.gain.router, std::max(c.gain.router.best().cost, end));
  if (c.task_label) labels.avoid(axes, c.task_label->router, c.task_label->router.best().cost);
  std::vector<std::size_t> order(c.arms.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return c.arms[a].on_hull > c.arms[b].on_hull;
  });
  std::erase_if(order, [&](std::size_t i) { return !std::isfinite(c.arms[i].mean.cost); });
  for (const std::size_t i : order)
    labels.occupy(axes.x(c.arms[i].mean.cost), axes.y(c.arms[i].mean.score));
  labels.occupy(axes.x(c.random.cost), axes.y(c.random.score));
  out += dot(axes, c.random, "random", "a random arm on each query");
  const Point at = c.operating.mean;
  const bool operates = std::isfinite(at.cost) && std::isfinite(at.score);
  if (operates) labels.occupy(axes.x(at.cost), axes.y(at.score));
  for (const std::size_t i : order)
    out += dot(axes, c.arms[i].mean, c.arms[i].on_hull ? "single hull" : "single", c.arms[i].name);
  if (operates) {
    out += dot(axes, at, "router", "the router, where its picks are counted in the table", 7.5);
    out += labels.place("router", axes.x(at.cost), axes.y(at.score), "name");
  }
  out += labels.place("random", axes.x(c.random.cost), axes.y(c.random.score), "name faint");
  for (const std::size_t i : order) {
    out += labels.place(c.arms[i].name, axes.x(c.arms[i].mean.cost), axes.y(c.arms[i].mean.score),
                        c.arms[i].on_hull ? "name" : "name faint");
  }
  return out + "</svg>\n";
}

}  // namespace rung::outcomes
