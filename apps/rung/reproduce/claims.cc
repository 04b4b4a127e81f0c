#include "reproduce/claims.h"

#include <fmt/format.h>

#include "base/progress.h"

namespace rung::reproduce {

std::string_view text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kInPart:
      return "holds in part";
    case Verdict::kNot:
      return "does not hold";
    case Verdict::kUntestable:
      return "not testable here";
  }
  return "";
}

const std::vector<Claim>& claims() {
  static const std::vector<Claim> all = [] {
    std::vector<Claim> made;
    add_pair_claims(made);
    add_pool_claims(made);
    add_cascade_claims(made);
    add_compute_claims(made);
    add_other_claims(made);
    return made;
  }();
  return all;
}

Result<std::vector<Row>> measure_all(const Bench& bench) {
  Progress progress("measuring", claims().size());
  std::vector<Row> rows;
  for (const Claim& claim : claims()) {
    if (interrupted()) return Error{ErrorCode::kCancelled, "reproducing was interrupted"};
    rows.push_back({&claim, claim.measure(bench)});
    progress.advance();
  }
  return rows;
}

std::vector<std::pair<std::string_view, std::string_view>> checked_words() {
  return {{"paper", "read in the paper, its repository or a pull request"},
          {"code", "read in the reference code"},
          {"page", "read on a page: an abstract, a README or a discussion"},
          {"second-hand", "read only in a third party's summary"},
          {"vendor", "a vendor or project measuring itself"},
          {"own", "computed here from published numbers"},
          {"memory", "from memory, not checked"},
          {"inference", "an inference, no paper behind it"}};
}

std::function<Measured(const Bench&)> needs(std::string what) {
  return [what = std::move(what)](const Bench&) {
    return Measured{Verdict::kUntestable, "", "needs " + what};
  };
}

}  // namespace rung::reproduce
