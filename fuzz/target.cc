#include "fuzz/target.h"

namespace rung::fuzz {

std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

}  // namespace rung::fuzz
