#include "upstream/balance.h"

#include "base/random.h"

namespace rung::upstream {

std::string_view name(Balance balance) {
  return balance == Balance::kPrefix ? "prefix" : "least_load";
}

std::optional<Balance> parse_balance(std::string_view text) {
  for (const Balance balance : {Balance::kLeastLoad, Balance::kPrefix})
    if (name(balance) == text) return balance;
  return std::nullopt;
}

std::optional<std::size_t> choose_host(std::span<const HostView> hosts, Balance balance,
                                       std::uint64_t key, std::uint64_t random) {
  Standing best = Standing::kClosed;
  for (const HostView& host : hosts)
    if (!host.tried && host.standing < best) best = host.standing;
  if (best == Standing::kClosed) return std::nullopt;
  const auto fits = [&](const HostView& host) { return !host.tried && host.standing == best; };
  std::size_t count = 0, only = 0;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (!fits(hosts[i])) continue;
    ++count, only = i;
    total += hosts[i].load;
  }
  if (count == 1) return only;
  if (balance == Balance::kPrefix) {
    std::size_t home = only;
    std::uint64_t highest = 0;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (!fits(hosts[i])) continue;
      const std::uint64_t score = mix64(key ^ mix64(hosts[i].id));
      if (score >= highest) highest = score, home = i;
    }
    // With this request in, at most a quarter above the mean, and always room for one.
    const std::uint64_t bound = (total + 1) * 5 / (4 * count) + 1;
    if (hosts[home].load + 1 <= bound) return home;
  }
  const std::uint64_t first = random % count;
  std::uint64_t second = (random >> 32) % (count - 1);
  if (second >= first) ++second;
  std::size_t a = 0, b = 0, at = 0;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (!fits(hosts[i])) continue;
    if (at == first) a = i;
    if (at == second) b = i;
    ++at;
  }
  return hosts[b].load < hosts[a].load ? b : a;
}

}  // namespace rung::upstream
