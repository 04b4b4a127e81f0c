#pragma once
// `rung serve` as a process: workers, their threads, signals, reload, drain.

#include <filesystem>

#include "base/result.h"

namespace rung::gateway {

/// Serves until SIGTERM or SIGINT, then stops gracefully: running requests end, the ledger is
/// written. SIGHUP or a change of the file reloads it; an invalid new file is refused with its
/// sentence and the old one stays. Errors are those of starting: configuration, predictor, ledger,
/// address in use.
Result<void> serve(const std::filesystem::path& config_file);

/// Says what a configuration would do, or what is wrong with it, without serving.
Result<void> check(const std::filesystem::path& config_file, std::string& summary);

}  // namespace rung::gateway
