#include "estimates.h"

#include <algorithm>

#include "base/parallel.h"
#include "base/progress.h"

#ifndef RUNG_NO_PREDICT
namespace rung::cli {

Result<Estimates> estimate_all(const predict::Router& router, const outcomes::Table& table) {
  constexpr std::size_t kChunk = 256;  // rows per task
  Estimates out;
  out.arms = router.arms().size();
  out.cells.resize(table.rows() * out.arms);
  Progress progress("estimating", table.rows());
  parallel_for((table.rows() + kChunk - 1) / kChunk, [&](std::size_t chunk) {
    if (interrupted()) return;
    predict::Scratch scratch;
    const std::size_t end = std::min(table.rows(), (chunk + 1) * kChunk);
    for (std::size_t row = chunk * kChunk; row < end; ++row) {
      router.estimate(table.prompts[row], {out.cells.data() + row * out.arms, out.arms}, scratch);
      progress.advance();
    }
  });
  if (interrupted()) return Error{ErrorCode::kCancelled, "estimating was interrupted"};
  return out;
}

}  // namespace rung::cli
#endif
