#include "replay/faults.h"

#include <charconv>

namespace rung::replay {
namespace {

constexpr std::pair<Fault, std::string_view> kNames[] = {{Fault::kRefuse, "refuse"},
                                                         {Fault::kReset, "reset-before-headers"},
                                                         {Fault::kCut, "cut"},
                                                         {Fault::kStall, "stall"},
                                                         {Fault::kSlow, "slow"},
                                                         {Fault::k429, "429"},
                                                         {Fault::k500, "500"},
                                                         {Fault::k503, "503"},
                                                         {Fault::kEmpty, "empty"},
                                                         {Fault::kMalformedJson, "malformed-json"},
                                                         {Fault::kWrongModel, "wrong-model"}};

std::string all_names() {
  std::string all;
  for (const auto& [fault, text] : kNames) {
    if (!all.empty()) all += ", ";
    all += text;
  }
  return all;
}

}  // namespace

std::string_view name(Fault fault) {
  for (const auto& [known, text] : kNames) {
    if (known == fault) return text;
  }
  return "none";
}

std::optional<Fault> fault_named(std::string_view text) {
  for (const auto& [fault, known] : kNames) {
    if (known == text) return fault;
  }
  return std::nullopt;
}

Result<void> FaultPlan::add(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto fault = fault_named(text.substr(0, equals));
  if (equals == std::string_view::npos || !fault) {
    return Error{
        ErrorCode::kInvalidArgument,
        "the fault \"" + std::string(text) + "\" is not KIND=RATE; the kinds are " + all_names()};
  }
  const std::string_view digits = text.substr(equals + 1);
  double rate = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), rate);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() ||
      !(rate >= 0 && rate <= 1)) {
    return Error{ErrorCode::kInvalidArgument,
                 "the rate of the fault \"" + std::string(text) + "\" is not a number from 0 to 1"};
  }
  sum_ += rate;
  if (sum_ > 1 + 1e-9) {
    return Error{ErrorCode::kInvalidArgument, "the rates of all faults add up to " +
                                                  std::to_string(sum_) + "; expected at most 1"};
  }
  rates_.push_back({*fault, rate});
  return {};
}

Fault FaultPlan::draw() {
  if (rates_.empty()) return Fault::kNone;
  double at = rng_.uniform();
  for (const Rate& rate : rates_) {
    if (at < rate.rate) return rate.fault;
    at -= rate.rate;
  }
  return Fault::kNone;
}

std::optional<Fault> take_marker(std::string& prompt) {
  constexpr std::string_view kOpen = "[[fault:";
  const std::size_t begin = prompt.find(kOpen);
  if (begin == std::string::npos) return std::nullopt;
  const std::size_t end = prompt.find("]]", begin);
  if (end == std::string::npos) return std::nullopt;
  const auto fault = fault_named(
      std::string_view(prompt).substr(begin + kOpen.size(), end - begin - kOpen.size()));
  if (!fault) return std::nullopt;
  std::size_t after = end + 2, before = begin;
  while (after < prompt.size() && (prompt[after] == ' ' || prompt[after] == '\n')) ++after;
  if (after == prompt.size()) {
    while (before > 0 && (prompt[before - 1] == ' ' || prompt[before - 1] == '\n')) --before;
  }
  prompt.erase(before, after - before);
  return fault;
}

}  // namespace rung::replay
