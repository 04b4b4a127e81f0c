#include "commands.h"

namespace rung::cli {
void add_models(CLI::App&, Action&) {}
}  // namespace rung::cli
