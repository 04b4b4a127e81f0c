#include "gateway/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace rung::gateway {
namespace {

constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceParent, TheStandardsExampleIsReadAndWrittenBack) {
  const auto parent = parse_traceparent(kExample);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace, (TraceId{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}));
  EXPECT_EQ(parent->span, 0x00f067aa0ba902b7u);
  EXPECT_TRUE(parent->sampled);
  const TraceParentText text = format_traceparent(*parent);
  EXPECT_EQ(std::string_view(text.data(), text.size()), kExample);
}

TEST(TraceParent, OnlyTheLowestFlagMeansSampled) {
  std::string text(kExample);
  text.replace(53, 2, "02");
  EXPECT_FALSE(parse_traceparent(text)->sampled);
  text.replace(53, 2, "03");
  EXPECT_TRUE(parse_traceparent(text)->sampled);
}

TEST(TraceParent, ALaterVersionIsReadAsFarAsItIsKnown) {
  std::string text = "cc" + std::string(kExample.substr(2));
  EXPECT_TRUE(parse_traceparent(text));
  EXPECT_TRUE(parse_traceparent(text + "-what-comes"));
  EXPECT_FALSE(parse_traceparent(text + "."));
}

TEST(TraceParent, WhatTheStandardForbidsIsNone) {
  for (const std::string& text :
       {std::string(), std::string("00"), std::string(kExample) + "-extra",
        std::string(kExample.substr(0, 54)), "ff" + std::string(kExample.substr(2)),
        std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"),
        std::string("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
}

}  // namespace
}  // namespace rung::gateway
