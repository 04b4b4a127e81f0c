#pragma once
// Which router a command means.

#include <string>

namespace rung::cli {

/// `named` if it is not empty; else the environment's RUNG_ROUTER; else default.safetensors in
/// RUNG_DATA_DIR (environment), else in the data folder that this binary was built or installed
/// with.
std::string router_file(const std::string& named);

}  // namespace rung::cli
