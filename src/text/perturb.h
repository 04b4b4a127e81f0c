#pragma once
// Small changes of a prompt that leave its meaning and so should leave the choice of a model: what
// a router's robustness is measured with (outcomes/routerarena_metrics.h). After the kinds of
// RouterArena (arXiv 2510.00202), made by rules instead of a model.
//
// Same text, kind and seed: the same result on every machine. Bytes that are not ASCII stay as they
// are, so UTF-8 stays UTF-8. Pure functions; safe from many threads.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rung::text {

enum class Perturbation : std::uint8_t {
  kCase,        // all lower case, or all upper case in one of four texts
  kTypos,       // neighbouring letters swapped, a letter dropped or doubled: in 1 word of 15 (one
                // at least), never the first letter and never a word of under 4 letters or in code
  kWhiteSpace,  // double spaces, blank lines, spaces before line ends
  kFiller,      // a sentence that asks for nothing, before or after
  kParaphrase,  // the request in the frame of another phrase
  kOptions,     // multiple choice: the texts of the options in another order under the same letters
};

inline constexpr std::array kPerturbations{Perturbation::kCase,       Perturbation::kTypos,
                                           Perturbation::kWhiteSpace, Perturbation::kFiller,
                                           Perturbation::kParaphrase, Perturbation::kOptions};

std::string_view name(Perturbation kind);  // "case", "typos", "white_space", ...

/// The perturbed text; the text itself where the kind has nothing to change (kOptions without at
/// least two options; a text without letters).
std::string perturb(std::string_view text, Perturbation kind, std::uint64_t seed);

}  // namespace rung::text
