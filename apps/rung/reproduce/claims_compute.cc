// Claims on spending more inference on one model instead of a larger one. Measured on files with
// several answers to each question.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "outcomes/worth.h"
#include "reproduce/measures.h"

namespace rung::reproduce {
namespace {

using Rows = std::span<const std::size_t>;
using outcomes::Correct;
using outcomes::Sample;

constexpr std::size_t kMany = 10;  // samples of a question, to speak of voting

bool known(const std::vector<Sample>& samples) {
  return !samples.empty() && std::all_of(samples.begin(), samples.end(), [](const Sample& s) {
    return s.correct != Correct::kUnknown;
  });
}

double mean_right(const std::vector<Sample>& samples) {
  double right = 0;
  for (const Sample& s : samples) right += s.correct == Correct::kRight ? 1 : 0;
  return right / static_cast<double>(samples.size());
}

// 1 if the most frequent answer of the samples [from, n) with this stride is right; ties go to the
// earliest. A sample without an answer votes for none.
double vote(const std::vector<Sample>& samples, std::size_t from, std::size_t stride) {
  std::unordered_map<std::string_view, int> votes;
  std::string_view leader;
  int most = 0;
  for (std::size_t i = from; i < samples.size(); i += stride) {
    if (samples[i].has_answer) most = std::max(most, ++votes[samples[i].answer]);
  }
  for (std::size_t i = from; i < samples.size(); i += stride) {
    if (!samples[i].has_answer || votes[samples[i].answer] != most) continue;
    leader = samples[i].answer;
    return samples[i].correct == Correct::kRight ? 1 : 0;
  }
  return 0;
}

// How many samples are drawn before no answer can overtake the leader any more: the vote is the
// same as over all.
std::size_t needed(const std::vector<Sample>& samples) {
  std::unordered_map<std::string_view, std::size_t> votes;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].has_answer) ++votes[samples[i].answer];
    std::size_t first = 0, second = 0;
    for (const auto& [answer, count] : votes) {
      if (count > first) {
        second = first;
        first = count;
      } else if (count > second) {
        second = count;
      }
    }
    if (first > second + (samples.size() - i - 1)) return i + 1;
  }
  return samples.size();
}

// Items of one model of one file that have many samples, all known.
struct Sampled {
  std::string name;  // file / model
  const SampleSet* set;
  std::size_t model;
  std::vector<std::size_t> items;
  bool votes = false;  // answers are there to vote with
};

std::vector<Sampled> sampled(const Bench& bench, std::size_t least) {
  std::vector<Sampled> out;
  for (const SampleSet& set : bench.samples) {
    for (std::size_t model = 0; model < set.samples.models.size(); ++model) {
      Sampled one{set.name + "/" + set.samples.models[model], &set, model, {}, false};
      for (std::size_t i = 0; i < set.samples.items.size(); ++i) {
        const auto& samples = set.samples.items[i].of_model[model];
        if (samples.size() < least || !known(samples)) continue;
        one.items.push_back(i);
        for (const Sample& s : samples) one.votes = one.votes || s.has_answer;
      }
      if (one.items.size() >= 30) out.push_back(std::move(one));
    }
  }
  return out;
}

const std::vector<Sample>& of(const Sampled& s, std::size_t i) {
  return s.set->samples.items[s.items[i]].of_model[s.model];
}

Readings over_sampled(const std::vector<Sampled>& all, const Options& options,
                      const std::function<double(const std::vector<Sample>&)>& value) {
  Readings out;
  for (const Sampled& s : all) {
    std::vector<double> values;
    for (std::size_t i = 0; i < s.items.size(); ++i) values.push_back(value(of(s, i)));
    const auto r = read(
        s.name, values.size(),
        [&](Rows rows) -> std::optional<double> {
          double sum = 0;
          for (const std::size_t row : rows) sum += values[row];
          return sum / static_cast<double>(rows.size());
        },
        options);
    if (r) out.push_back(*r);
  }
  return out;
}

std::vector<Sampled> voting(const Bench& bench) {
  auto all = sampled(bench, kMany);
  std::erase_if(all, [](const Sampled& s) { return !s.votes; });
  return all;
}

Measured early_stop(const Bench& bench) {
  const Readings r = over_sampled(voting(bench), bench.options, [](const std::vector<Sample>& s) {
    return 1 - static_cast<double>(needed(s)) / static_cast<double>(s.size());
  });
  if (r.empty()) return needs("ten or more samples of a question, with answers")({});
  Measured out = judge_up_to(r, 0.75, 0, list(r, kPercent, "{:.0f}", " %"));
  out.reason += "; this stop changes no vote, and needs no verifier";
  return out;
}

// Lower bound of `small` voting against one answer of `large`.
Measured small_beats_large(const Bench& bench) {
  Readings all;
  for (const Sampled& small : voting(bench)) {
    // The strongest other model of the file: best mean over its samples.
    const auto& samples = small.set->samples;
    std::size_t large = samples.models.size();
    double best = -1;
    for (std::size_t m = 0; m < samples.models.size(); ++m) {
      if (outcomes::model_of(samples.models[m]) == outcomes::model_of(samples.models[small.model]))
        continue;
      double sum = 0, count = 0;
      for (const auto& item : samples.items) {
        if (!known(item.of_model[m])) continue;
        sum += mean_right(item.of_model[m]);
        count += 1;
      }
      if (count > 0 && sum / count > best) {
        best = sum / count;
        large = m;
      }
    }
    if (large == samples.models.size()) continue;
    std::vector<double> difference;
    double own = 0;
    for (std::size_t i = 0; i < small.items.size(); ++i) {
      const auto& other = samples.items[small.items[i]].of_model[large];
      if (!known(other)) continue;
      own += mean_right(of(small, i)) - mean_right(other);
      difference.push_back(vote(of(small, i), 0, 1) - mean_right(other));
    }
    if (difference.empty() || own >= 0) continue;  // it is not the smaller one
    const auto r = read(
        small.name, difference.size(),
        [&](Rows rows) -> std::optional<double> {
          double sum = 0;
          for (const std::size_t row : rows) sum += difference[row];
          return sum / static_cast<double>(rows.size());
        },
        bench.options);
    if (r) all.push_back(*r);
  }
  if (all.empty()) return needs("ten or more samples of a weaker model and one of a stronger")({});
  Measured out = judge_up_to(all, 0, 0, list(all, 100, "{:+.1f}", " points"));
  const auto level =
      std::count_if(all.begin(), all.end(), [](const Reading& r) { return r.high >= 0; });
  if (out.verdict == Verdict::kNot && level > 0) out.verdict = Verdict::kInPart;
  out.reason = fmt::format(
      "majority vote over all samples minus one answer of the best other model: "
      "not surely below it for {} of {}; no verifier here, which is what the "
      "claim uses",
      level, all.size());
  return out;
}

// Gain of the vote over one sample by difficulty: levels from the odd samples, gain on the even
// ones.
Measured by_difficulty(const Bench& bench) {
  std::string number;
  std::size_t hump = 0, sets = 0;
  for (const Sampled& s : voting(bench)) {
    struct Item {
      double easy, gain;
    };
    std::vector<Item> items;
    for (std::size_t i = 0; i < s.items.size(); ++i) {
      const auto& all = of(s, i);
      std::vector<Sample> odd, even;
      for (std::size_t j = 0; j < all.size(); ++j) (j % 2 ? odd : even).push_back(all[j]);
      items.push_back({mean_right(odd), vote(even, 0, 1) - mean_right(even)});
    }
    double gain[3] = {0, 0, 0}, count[3] = {0, 0, 0};
    for (const Item& item : items) {
      const int level = item.easy < 1.0 / 3 ? 0 : item.easy < 2.0 / 3 ? 1 : 2;
      gain[level] += item.gain;
      count[level] += 1;
    }
    if (count[0] < 10 || count[1] < 10 || count[2] < 10) continue;
    for (int level = 0; level < 3; ++level) gain[level] *= 100 / count[level];
    ++sets;
    hump += gain[0] < gain[1] && gain[0] < gain[2] ? 1 : 0;
    number += fmt::format("{}{} hard {:+.0f}, middle {:+.0f}, easy {:+.0f}",
                          number.empty() ? "" : "; ", s.name, gain[0], gain[1], gain[2]);
  }
  if (sets == 0) return needs("ten or more samples, with questions of every difficulty")({});
  return {
      hump == sets ? Verdict::kHolds
      : hump > 0   ? Verdict::kInPart
                   : Verdict::kNot,
      number + " points",
      fmt::format("the hard third (right in under a third of other samples) gains least on {} of "
                  "{}; below 0, voting makes it worse",
                  hump, sets)};
}

Measured out_of_reach(const Bench& bench) {
  Readings all;
  std::string detail;
  for (const SampleSet& set : bench.samples) {
    const auto o = outcomes::out_of_reach(set.samples, "");
    if (!o) continue;
    all.push_back({set.name, o->share.value, o->share.low, o->share.high});
    detail += fmt::format("{}{}: {}, {:.0f} samples a question ({:.0f} % with one)",
                          detail.empty() ? "" : "; ", set.name, o->model, o->samples,
                          kPercent * o->with_one);
  }
  if (all.empty()) return needs("samples of two models or strategies, known right or wrong")({});
  const auto sure = static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const Reading& r) { return r.low > 0.01; }));
  return {
      sure == all.size() ? Verdict::kHolds
      : sure > 0         ? Verdict::kInPart
                         : Verdict::kNot,
      list(all, kPercent, "{:.0f}", " %"),
      fmt::format("surely over 1 % of the questions on {} of {}; {}", sure, all.size(), detail)};
}

Measured verifier_gap(const Bench& bench) {
  const auto all = sampled(bench, kMany);
  const Readings any = over_sampled(all, bench.options, [](const std::vector<Sample>& s) {
    return (mean_right(s) > 0 ? 1.0 : 0.0) - (s.front().has_answer ? vote(s, 0, 1) : mean_right(s));
  });
  if (any.empty()) return needs("ten or more samples of a question, known right or wrong")({});
  Measured out = judge_up_to(any, 0.1, 0, list(any, 100, "{:+.0f}", " points"));
  out.reason +=
      "; right in some sample (what a perfect verifier would find) minus the vote, or one "
      "sample where there is no answer to vote with";
  return out;
}

Measured saturation(const Bench& bench) {
  const Readings r = over_sampled(voting(bench), bench.options, [](const std::vector<Sample>& s) {
    return vote(s, 0, 1) - vote(s, 0, 4);  // all against a quarter
  });
  if (r.empty()) return needs("ten or more samples of a question, with answers")({});
  const auto level = static_cast<std::size_t>(
      std::count_if(r.begin(), r.end(), [](const Reading& one) { return one.value <= 0.01; }));
  return {2 * level > r.size() ? Verdict::kHolds
          : level > 0          ? Verdict::kInPart
                               : Verdict::kNot,
          list(r, 100, "{:+.1f}", " points"),
          fmt::format("all samples score at most 1 point more than a quarter of them for {} of {}, "
                      "by vote",
                      level, r.size())};
}

}  // namespace

void add_compute_claims(std::vector<Claim>& out) {
  constexpr std::string_view snell = "Snell et al., arXiv 2408.03314";
  out.push_back({"snell-4x",
                 "choosing the strategy by difficulty needs far less compute than "
                 "best-of-n",
                 "over 4x (abstract), 2 to 4x (text)", snell, "paper", "",
                 needs("verifier scores of every sample, which no public source has")});
  out.push_back({"snell-saturation", "a quarter of the samples does as well",
                 "16 generations match 64, 64 match 256", snell, "paper",
                 "score of the vote over all samples minus that over every fourth", saturation});
  out.push_back({"early-stop", "most votes are decided early", "84.7 % fewer tokens (AIME)",
                 "DeepConf, arXiv 2508.15260", "paper",
                 "samples saved by stopping once no answer can overtake the leader; 75 % (4x) is "
                 "asked for",
                 early_stop});
  out.push_back({"snell-14x", "a small model with test-time compute beats a 14 times larger one",
                 "where the small one has some success", snell, "page",
                 "vote of the weaker model against one answer of the strongest",
                 small_beats_large});
  out.push_back({"snell-hard", "the hardest questions gain least from more samples",
                 "gains on easy and middle bins (often quoted the other way round)", snell, "paper",
                 "gain of the vote over one sample, by difficulty told from other samples",
                 by_difficulty});
  out.push_back({"sampling-reach", "sampling adds no knowledge that is not there",
                 "most of the 22 % gap to the oracle", "LLMRouterBench, arXiv 2601.07206",
                 "inference",
                 "questions that no sample of the weakest well-sampled model gets right and some "
                 "sample of another does",
                 out_of_reach});
  out.push_back({"checked-answers", "more samples pay where answers can be checked",
                 "-60 % cost at under 1 % loss with a reward model", "BEST-Route, arXiv 2506.22716",
                 "paper", "what a perfect verifier would find beyond a vote", verifier_gap});
  out.push_back({"1b-beats-405b", "1B with a process reward model beats 405B", "MATH-500",
                 "arXiv 2502.06703", "second-hand", "",
                 needs("a process reward model's scores of every step")});
}

}  // namespace rung::reproduce
