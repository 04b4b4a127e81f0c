#pragma once
// What a trained router expects of every arm on every row of a table; shared by evaluate and
// calibrate.

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "outcomes/table.h"
#include "predict/router.h"

namespace rung::cli {

/// [rows * arms of the router], row-major.
struct Estimates {
  std::vector<predict::Estimate> cells;
  std::size_t arms = 0;

  const predict::Estimate& at(std::size_t row, std::size_t arm) const {
    return cells[row * arms + arm];
  }
};

/// On all cores, with progress. Error: kCancelled after an interrupt.
Result<Estimates> estimate_all(const predict::Router& router, const outcomes::Table& table);

}  // namespace rung::cli
