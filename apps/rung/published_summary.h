#pragma once
// What rung train says of a published method.

#include <cstddef>
#include <string>

#include "predict/published.h"

namespace rung::cli {

std::string published_text(const predict::PublishedModel& model, const std::string& out,
                           std::size_t bytes);
/// The keys of the other methods; hull_gain is null, since nothing was judged out of fold.
std::string published_json(const predict::PublishedModel& model, const std::string& out,
                           const std::string& sha256, std::size_t bytes);

}  // namespace rung::cli
