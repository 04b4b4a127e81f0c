#include "upstream/fault.h"

#include <gtest/gtest.h>

#include <set>

namespace rung::upstream {
namespace {

TEST(Fault, TellsMistakesOfTheCallerFromTroubleOfTheHost) {
  for (const int status : {400, 404, 405, 413, 415, 422, 451})
    EXPECT_EQ(next_after(fault_of_status(status)), Next::kNowhere) << status;
  for (const int status : {401, 403})
    EXPECT_EQ(next_after(fault_of_status(status)), Next::kElsewhere) << status;
  for (const int status : {408, 409, 500, 502, 504, 520})
    EXPECT_EQ(next_after(fault_of_status(status)), Next::kHereOnce) << status;
  for (const int status : {429, 503, 529})
    EXPECT_EQ(next_after(fault_of_status(status)), Next::kElsewhereFirst) << status;
  for (const int status : {200, 201, 204, 304})
    EXPECT_EQ(fault_of_status(status), Fault::kNone) << status;
}

TEST(Fault, HoldsOnlyWhatIsItsOwnAgainstAHost) {
  for (const int status : {400, 404, 422, 429})
    EXPECT_FALSE(speaks_against_host(fault_of_status(status)));
  for (const int status : {401, 500, 502, 503, 529})
    EXPECT_TRUE(speaks_against_host(fault_of_status(status)));
  EXPECT_TRUE(speaks_against_host(Fault::kUnreachable));
  EXPECT_FALSE(speaks_against_host(Fault::kEmpty));
}

TEST(Fault, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Fault fault : kFaults) names.insert(name(fault));
  EXPECT_EQ(names.size(), std::size(kFaults));
  EXPECT_EQ(names.count("unknown"), 0u);
}

}  // namespace
}  // namespace rung::upstream
