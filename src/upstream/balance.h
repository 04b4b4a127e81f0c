#pragma once
// Which of several hosts of one model is asked.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "upstream/host.h"

namespace rung::upstream {

enum class Balance : std::uint8_t {
  kLeastLoad,  // the less loaded of two random ones (Mitzenmacher 2001)
  kPrefix,     // the one that had this conversation's beginning before, for its prefix cache
};
std::string_view name(Balance balance);  // "least_load", "prefix"
std::optional<Balance> parse_balance(std::string_view name);

struct HostView {
  std::uint64_t id = 0;  // stable over reloads: a hash of its name
  Standing standing = Standing::kGood;
  std::uint32_t load = 0;  // requests in flight
  bool tried = false;      // by this request, without success
};

/// An index into `hosts`; empty if every one is closed or tried. Only those of the best standing
/// there is are looked at. `key`: what hangs together, for kPrefix: the highest of the hosts'
/// hashes with it wins (rendezvous, Thaler and Ravishankar 1998), unless its load is more than a
/// quarter above the mean (bounded loads, Mirrokni et al. 2018): then the less loaded of two random
/// ones. `random`: 64 random bits.
std::optional<std::size_t> choose_host(std::span<const HostView> hosts, Balance balance,
                                       std::uint64_t key, std::uint64_t random);

}  // namespace rung::upstream
