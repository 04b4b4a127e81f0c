// One program for each target: RUNG_FUZZ_TARGET is its name.

#include <cstdlib>

#include "base/check.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const rung::fuzz::Function run = [] {
    for (const rung::fuzz::Target& target : rung::fuzz::targets())
      if (target.name == RUNG_FUZZ_TARGET) return target.run;
    RUNG_CHECK(false, "no such fuzz target");
    return rung::fuzz::Function();
  }();
  run({reinterpret_cast<const char*>(data), size});
  return 0;
}
