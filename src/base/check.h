#pragma once
// A broken promise of our own code ends the process with a sentence; bad input never does (see
// result.h).

namespace rung {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);
}  // namespace rung

#define RUNG_CHECK(condition, why) \
  ((condition) ? static_cast<void>(0) : ::rung::check_failed(__FILE__, __LINE__, #condition, why))
