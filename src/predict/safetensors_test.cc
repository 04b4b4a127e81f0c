#include "predict/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace rung::predict {
namespace {

constexpr std::size_t kTwoByTwo[] = {2, 2};

std::string sample(float odd = 4) {
  TensorWriter writer;
  writer.metadata("method", "a \"quoted\" name\n");
  writer.add("bytes", {3}, std::span<const std::uint8_t>(std::vector<std::uint8_t>{1, 2, 3}));
  writer.add("weights", {2, 2}, std::span<const float>(std::vector<float>{1, 2, 3, odd}));
  return writer.finish();
}

/// A file with this header in front of these bytes.
std::string raw(std::string header, std::string_view data) {
  while (header.size() % 8 != 0) header += ' ';
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out.append(header).append(data);
}

void expect_refused(std::string_view bytes, std::string_view words) {
  const auto file = TensorFile::parse(bytes);
  ASSERT_FALSE(file) << "accepted, expected: " << words;
  EXPECT_EQ(file.error().code, ErrorCode::kCorruptFile);
  EXPECT_NE(file.error().message.find(words), std::string::npos) << file.error().message;
}

TEST(Safetensors, GiveBackWhatWasWritten) {
  const std::string bytes = sample();
  const auto file = TensorFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata("method"), "a \"quoted\" name\n");
  EXPECT_EQ(file->metadata("absent"), "");
  const auto weights = file->tensor("weights", DType::kF32, kTwoByTwo);
  ASSERT_TRUE(weights);
  EXPECT_EQ(weights->f32()[3], 4);
  constexpr std::size_t any[] = {TensorFile::kAny};
  EXPECT_EQ(file->tensor("bytes", DType::kU8, any)->u8()[2], 3);
}

TEST(Safetensors, AreTheSameBytesForTheSameCalls) { EXPECT_EQ(sample(), sample()); }

TEST(Safetensors, CutAnywhereAreRefused) {
  const std::string bytes = sample();
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(TensorFile::parse(std::string_view(bytes).substr(0, n))) << n;
  expect_refused(std::string_view(bytes).substr(0, 4), "too few");
  expect_refused(std::string_view(bytes).substr(0, bytes.size() / 2), "probably cut");
  // So few bytes are left that the first shape alone says that something is missing.
  expect_refused(raw(R"({"a":{"dtype":"F32","shape":[999],"data_offsets":[0,3996]}})", "12345678"),
                 "tensor 'a' should end at byte 3996, but the data has 8 bytes; the file is "
                 "probably cut");
  expect_refused(std::string_view(bytes).substr(0, bytes.size() - 1), "probably cut");
}

TEST(Safetensors, WithALyingHeaderLengthAreRefused) {
  std::string bytes = sample();
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  std::memcpy(bytes.data(), &huge, 8);
  expect_refused(bytes, "not a safetensors file");
  const std::uint64_t odd = 9, wrong = 16;
  std::memcpy(bytes.data(), &odd, 8);
  expect_refused(bytes, "multiple of 8");
  std::memcpy(bytes.data(), &wrong, 8);
  expect_refused(bytes, "not a JSON object");
}

TEST(Safetensors, OfAnotherKindAreRefused) {
  expect_refused("GIF89a, and then some more bytes", "not a safetensors file");
  expect_refused(raw("[]", ""), "not a JSON object");
}

TEST(Safetensors, ThatOverlapOrLeaveGapsAreRefused) {
  const std::string data(12, '\0');
  expect_refused(raw(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                     R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                     data),
                 "overlap");
  expect_refused(raw(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}})", data),
                 "belong to no tensor");
  expect_refused(raw(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", data),
                 "follow the last");
}

TEST(Safetensors, WithShapesThatDoNotFitAreRefused) {
  expect_refused(raw(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678"),
                 "needs 12");
  expect_refused(
      raw(R"({"a":{"dtype":"F32","shape":[18446744073709551615,8],"data_offsets":[0,8]}})",
          "12345678"),
      "cannot hold");
  expect_refused(raw(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", "12345678"),
                 "F64");
  expect_refused(raw(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}})", "12345678"),
                 "not a range");
  expect_refused(raw(R"({"a":{"dtype":"U8"}})", ""), "lacks");
}

TEST(Safetensors, WithNumbersThatAreNotFiniteAreRefused) {
  expect_refused(sample(std::numeric_limits<float>::quiet_NaN()), "finite");
  expect_refused(sample(std::numeric_limits<float>::infinity()), "finite");
}

TEST(Safetensors, NameFoundAndExpectedWhenATensorIsNotAsAsked) {
  const std::string bytes = sample();
  const auto file = TensorFile::parse(bytes);
  ASSERT_TRUE(file);
  constexpr std::size_t shape[] = {2, 3};
  EXPECT_NE(file->tensor("weights", DType::kF32, shape)
                .error()
                .message.find("F32 [2, 2]; expected F32 [2, 3]"),
            std::string::npos);
  EXPECT_NE(file->tensor("gone", DType::kF32, shape).error().message.find("missing"),
            std::string::npos);
}

}  // namespace
}  // namespace rung::predict
