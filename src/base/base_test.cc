#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/result.h"
#include "base/units.h"

namespace rung {
namespace {

TEST(Result, CarriesTheErrorWithItsContext) {
  const Result<int> failed =
      Error{ErrorCode::kInvalidData, "line 3: no id"}.with("reading x.jsonl");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "reading x.jsonl: line 3: no id");
  EXPECT_EQ(name(failed.error().code), "invalid_data");
}

TEST(Units, PricePerMillionTimesTokensIsMoney) {
  EXPECT_DOUBLE_EQ((Tokens{2'000'000} * UsdPerMillion{1.25}).value, 2.5);
}

TEST(Hash, NeverChangesBecauseSplitsAndBucketsDependOnIt) {
  EXPECT_EQ(hash64(""), hash64("", 0));
  EXPECT_NE(hash64("a"), hash64("b"));
  EXPECT_NE(hash64("a", 1), hash64("a", 2));
  EXPECT_EQ(hash64("rung"), 13182921127206869728ULL);
}

TEST(Rng, SameSeedSameNumbersAndBelowStaysBelow) {
  Rng a(7), b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  std::vector<int> seen(5);
  for (int i = 0; i < 5000; ++i) ++seen[a.below(5)];
  for (const int count : seen) EXPECT_NEAR(count, 1000, 150);
}

TEST(AtomicFile, LeavesNothingBehindWithoutCommit) {
  const auto folder = std::filesystem::temp_directory_path() / "rung_atomic_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  {
    auto file = AtomicFile::create(folder / "x");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("half"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  ASSERT_TRUE(write_file(folder / "x", "whole"));
  EXPECT_EQ(*read_file(folder / "x"), "whole");
  EXPECT_EQ(read_file(folder / "y").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_file(folder).error().code, ErrorCode::kIo);
  EXPECT_EQ(write_file(folder, "x").error().code, ErrorCode::kIo);
  std::filesystem::remove_all(folder);
}

TEST(AtomicFile, FollowsLinksAndNeverReplacesWhatIsNoRegularFile) {
  const auto folder = std::filesystem::temp_directory_path() / "rung_atomic_target_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "real");
  ASSERT_TRUE(write_file(folder / "real/x", "old"));
  std::filesystem::create_symlink(folder / "real/x", folder / "link");
  ASSERT_TRUE(write_file(folder / "link", "new"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(*read_file(folder / "real/x"), "new");

  const auto pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  ASSERT_TRUE(write_file(pipe, "through"));
  char buffer[16];
  EXPECT_EQ(::read(reader, buffer, sizeof buffer), 7);
  ::close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  std::filesystem::remove_all(folder);
}

TEST(ParallelFor, VisitsEachIndexOnce) {
  std::vector<int> visits(1000);
  parallel_for(visits.size(), [&](std::size_t i) { ++visits[i]; });
  EXPECT_EQ(std::accumulate(visits.begin(), visits.end(), 0), 1000);
  EXPECT_EQ(*std::max_element(visits.begin(), visits.end()), 1);
}

}  // namespace
}  // namespace rung
