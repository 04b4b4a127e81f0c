#include "router_file.h"

#include <cstdlib>
#include <filesystem>

#ifndef RUNG_DATA_DIR
#define RUNG_DATA_DIR "data"
#endif

namespace rung::cli {

std::string router_file(const std::string& named) {
  if (!named.empty()) return named;
  if (const char* file = std::getenv("RUNG_ROUTER"); file != nullptr && *file != '\0') return file;
  const char* folder = std::getenv("RUNG_DATA_DIR");
  const std::filesystem::path data = folder != nullptr && *folder != '\0' ? folder : RUNG_DATA_DIR;
  return (data / "default.safetensors").string();
}

}  // namespace rung::cli
