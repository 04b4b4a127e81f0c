// Runs every file of a folder of corpora through its target: replay CORPORA [TARGET]. A crash is a
// failure; so is a target without an input, and a folder without a target.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "fuzz/target.h"

namespace {

namespace fs = std::filesystem;

/// The number of inputs; below 0: something could not be read.
int replay(const rung::fuzz::Target& target, const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    auto bytes = rung::read_file(file);
    if (!bytes) {
      std::fprintf(stderr, "%s\n", bytes.error().message.c_str());
      return -1;
    }
    // Named before it runs: a crash says which.
    std::fprintf(stderr, "%s\n", file.c_str());
    // Bytes of their own length on the heap, so that a read past the end is seen under asan.
    const std::vector<char> input(bytes->begin(), bytes->end());
    target.run({input.data(), input.size()});
  }
  return static_cast<int>(files.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: replay CORPORA [TARGET]\n");
    return 2;
  }
  const fs::path corpora = argv[1];
  int all = 0;
  bool found = argc == 2;
  for (const rung::fuzz::Target& target : rung::fuzz::targets()) {
    if (argc == 3 && target.name != argv[2]) continue;
    found = true;
    const int count = replay(target, corpora / target.name);
    if (count <= 0) {
      std::fprintf(stderr, "%s has no inputs in %s\n", std::string(target.name).c_str(),
                   corpora.c_str());
      return 1;
    }
    all += count;
  }
  if (argc == 2)
    for (const auto& entry : fs::directory_iterator(corpora)) {
      const std::string name = entry.path().filename().string();
      const auto& known = rung::fuzz::targets();
      if (std::none_of(known.begin(), known.end(),
                       [&](const rung::fuzz::Target& t) { return t.name == name; })) {
        std::fprintf(stderr, "%s is the corpus of no target\n", entry.path().c_str());
        return 1;
      }
    }
  if (!found) {
    std::fprintf(stderr, "there is no target %s\n", argv[2]);
    return 2;
  }
  std::printf("%d inputs\n", all);
  return 0;
}
