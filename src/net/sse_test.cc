#include "net/sse.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace rung {
namespace {

struct Seen {
  std::string event, data;
  bool has_data;
  bool operator==(const Seen&) const = default;
};

/// Splits `text` fed in the given pieces; checks that raw bytes add up to the input.
std::vector<Seen> split(std::string_view text, std::size_t step) {
  SseSplitter splitter;
  std::vector<Seen> seen;
  std::string raw;
  for (std::size_t at = 0; at < text.size(); at += step) {
    splitter.feed(text.substr(at, step));
    SseEvent event;
    while (splitter.next(event)) {
      raw += event.raw;
      if (event.has_data) seen.push_back({std::string(event.event), std::string(event.data), true});
    }
  }
  raw += splitter.rest();
  EXPECT_EQ(raw, text) << "step " << step;
  return seen;
}

TEST(SseSplitter, GivesTheSameEventsForEverySplit) {
  const std::string_view text =
      "\xEF\xBB\xBF"
      "data: one\n\n: ping\n\nevent: delta\r\ndata:two\r\ndata: lines\r\nid: 7\r\n\r\n"
      "data\n\ndata:  two spaces\r\rdata: \xF0\x9F\x99\x82 smile\n\ndata: [DONE]\n\n";
  const std::vector<Seen> expected = {
      {"", "one", true},         {"delta", "two\nlines", true},        {"", "", true},
      {"", " two spaces", true}, {"", "\xF0\x9F\x99\x82 smile", true}, {"", "[DONE]", true}};
  for (std::size_t step = 1; step <= text.size(); ++step)
    EXPECT_EQ(split(text, step), expected) << step;
}

TEST(SseSplitter, AgreesForAllLineEndsInRandomSplits) {
  Rng rng(11);
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    std::string text;
    for (int i = 0; i < 50; ++i) text += "data: " + std::string(rng.below(9), 'x') + end + end;
    const auto whole = split(text, text.size());
    ASSERT_EQ(whole.size(), 50u);
    for (int round = 0; round < 20; ++round) EXPECT_EQ(split(text, 1 + rng.below(30)), whole);
  }
}

TEST(SseSplitter, AnEventLeavesAtItsEmptyLineAlsoAfterBareCr) {
  SseSplitter splitter;
  SseEvent event;
  splitter.feed("data: a\r\n\r");
  ASSERT_TRUE(splitter.next(event));
  EXPECT_EQ(event.data, "a");
  EXPECT_FALSE(splitter.next(event));
  splitter.feed("\ndata: b\n\n");  // the LF belongs to the CR of before, not to an empty event
  ASSERT_TRUE(splitter.next(event));
  EXPECT_EQ(event.data, "b");
  EXPECT_FALSE(splitter.next(event));
  EXPECT_TRUE(splitter.rest().empty());
}

TEST(SseSplitter, KeepsAnUnfinishedEventAndReportsIt) {
  SseSplitter splitter;
  SseEvent event;
  splitter.feed("data: cut in the mid");
  EXPECT_FALSE(splitter.next(event));
  EXPECT_EQ(splitter.rest(), "data: cut in the mid");
}

TEST(SseSplitter, FailsOnAnEventBeyondTheLimit) {
  SseSplitter splitter(1000);
  SseEvent event;
  const std::string piece(100, 'x');
  for (int i = 0; i < 20 && !splitter.overflow(); ++i) {
    splitter.feed(piece);
    EXPECT_FALSE(splitter.next(event));
  }
  EXPECT_TRUE(splitter.overflow());
}

}  // namespace
}  // namespace rung
