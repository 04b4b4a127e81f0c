#include "commands.h"

namespace rung::cli {
void add_serve(CLI::App&, Action&) {}
}  // namespace rung::cli
