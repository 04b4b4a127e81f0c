#include "outcomes/group.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/random.h"

namespace rung::outcomes {
namespace {

// 21 bands of 6: two texts of Jaccard 0.8 meet with probability 0.998, of 0.5 with 0.28 (and are
// then compared).
constexpr std::size_t kBands = 21, kPerBand = 6, kHashes = kBands * kPerBand;
constexpr std::size_t kShingleWords = 3;
constexpr std::size_t kChunk = 2048;  // rows per task

using Signature =
    std::array<std::uint16_t, kHashes>;  // 252 bytes a row; 16 bits tell sets apart well enough

struct Permutations {
  std::array<std::uint32_t, kHashes> multiply, add;
  Permutations() {
    Rng rng(0x6d696e68617368ULL);
    for (std::size_t i = 0; i < kHashes; ++i) {
      multiply[i] = static_cast<std::uint32_t>(rng.next()) | 1u;
      add[i] = static_cast<std::uint32_t>(rng.next());
    }
  }
};

void add_shingle(std::uint64_t shingle, const Permutations& by,
                 std::array<std::uint32_t, kHashes>& least) {
  const auto x = static_cast<std::uint32_t>(mix64(shingle) >> 32);
  for (std::size_t i = 0; i < kHashes; ++i)
    least[i] = std::min(least[i], (x ^ by.add[i]) * by.multiply[i]);
}

Signature sign(std::string_view text, const Permutations& by) {
  std::array<std::uint32_t, kHashes> least;
  least.fill(std::numeric_limits<std::uint32_t>::max());
  std::array<std::uint64_t, kShingleWords> words{};  // hashes of the last words
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    std::rotate(words.begin(), words.begin() + 1, words.end());
    words.back() = hash64(text.substr(begin, end - begin));
    begin = end + 1;
    if (++count >= kShingleWords)
      add_shingle(mix64(words[0]) ^ mix64(words[1] + 1) ^ (words[2] << 1), by, least);
  }
  if (count < kShingleWords) add_shingle(hash64(text, 1), by, least);
  Signature signature;
  for (std::size_t i = 0; i < kHashes; ++i) {
    signature[i] = static_cast<std::uint16_t>(mix64(least[i]) >> 48);
  }
  return signature;
}

bool alike(const Signature& a, const Signature& b, std::size_t needed) {
  std::size_t same = 0;
  for (std::size_t i = 0; i < kHashes; ++i) same += a[i] == b[i] ? 1 : 0;
  return same >= needed;
}

class UnionFind {
 public:
  explicit UnionFind(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0u); }
  std::uint32_t root(std::uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    if (a != b) parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

Groups numbered(const Table& table, UnionFind& sets) {
  Groups groups;
  groups.of_row.resize(table.rows());
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> number(table.rows(), kNone);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::uint32_t root = sets.root(static_cast<std::uint32_t>(row));
    const std::uint64_t key = hash64(table.ids[row]);
    if (number[root] == kNone) {
      number[root] = static_cast<std::uint32_t>(groups.key.size());
      groups.key.push_back(key);
    }
    groups.of_row[row] = number[root];
    groups.key[number[root]] = std::min(groups.key[number[root]], key);
  }
  return groups;
}

}  // namespace

std::string normalise(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool space = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || byte >= 0x80) {
      if (space && !out.empty()) out += ' ';
      space = false;
      out += upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else {
      space = true;
    }
  }
  // Text without a letter or digit ("?!", ":-)") is compared as it stands.
  return out.empty() ? std::string(text) : out;
}

Groups group_by_text(const Table& table, const GroupOptions& options) {
  const std::size_t n = table.rows();
  const Permutations permutations;
  std::vector<Signature> signatures(n);
  parallel_for((n + kChunk - 1) / kChunk, [&](std::size_t chunk) {
    for (std::size_t row = chunk * kChunk; row < std::min(n, (chunk + 1) * kChunk); ++row) {
      signatures[row] = sign(normalise(table.prompts[row]), permutations);
    }
  });

  const auto needed =
      static_cast<std::size_t>(std::ceil(options.min_jaccard * static_cast<double>(kHashes)));
  UnionFind sets(n);
  struct Entry {
    std::uint64_t bucket;
    std::uint32_t row;
  };
  std::vector<Entry> entries(n);
  for (std::size_t band = 0; band < kBands; ++band) {
    parallel_for((n + kChunk - 1) / kChunk, [&](std::size_t chunk) {
      for (std::size_t row = chunk * kChunk; row < std::min(n, (chunk + 1) * kChunk); ++row) {
        const auto* part = reinterpret_cast<const char*>(signatures[row].data() + band * kPerBand);
        entries[row] = {hash64({part, kPerBand * sizeof(std::uint16_t)}),
                        static_cast<std::uint32_t>(row)};
      }
    });
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return a.bucket != b.bucket ? a.bucket < b.bucket : a.row < b.row;
    });
    for (std::size_t i = 1, first = 0; i < n; ++i) {
      if (entries[i].bucket != entries[first].bucket) {
        first = i;
        continue;
      }
      const std::uint32_t row = entries[i].row;
      for (const std::uint32_t other : {entries[first].row, entries[i - 1].row}) {
        if (sets.root(row) != sets.root(other) &&
            alike(signatures[row], signatures[other], needed)) {
          sets.join(row, other);
        }
      }
    }
  }
  return numbered(table, sets);
}

Groups group_by_id(const Table& table) {
  UnionFind sets(table.rows());
  return numbered(table, sets);
}

}  // namespace rung::outcomes
