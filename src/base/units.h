#pragma once
// Money and tokens as types, so that a price per million is never added to a price per token.

#include <compare>
#include <cstdint>

namespace rung {

struct Usd {
  double value = 0;  // dollars
  friend constexpr auto operator<=>(Usd, Usd) = default;
  constexpr Usd& operator+=(Usd other) {
    value += other.value;
    return *this;
  }
};
constexpr Usd operator+(Usd a, Usd b) { return Usd{a.value + b.value}; }
constexpr Usd operator-(Usd a, Usd b) { return Usd{a.value - b.value}; }

struct Tokens {
  std::int64_t count = 0;
  friend constexpr auto operator<=>(Tokens, Tokens) = default;
};
constexpr Tokens operator+(Tokens a, Tokens b) { return Tokens{a.count + b.count}; }
constexpr Tokens operator-(Tokens a, Tokens b) { return Tokens{a.count - b.count}; }

struct UsdPerMillion {
  double rate = 0;  // dollars per million tokens, as price lists state it
  friend constexpr auto operator<=>(UsdPerMillion, UsdPerMillion) = default;
};
constexpr Usd operator*(Tokens t, UsdPerMillion p) {
  return Usd{static_cast<double>(t.count) * p.rate * 1e-6};
}

}  // namespace rung
