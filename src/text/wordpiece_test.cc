#include "text/wordpiece.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rung::text {
namespace {

constexpr std::string_view kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\ncafe\n,\n!\n[\n]"
    "\nsep\n\xE4\xBD\xA0\n\xE5\xA5\xBD\n"
    "\xCF\x83\na\n##a\n";
enum Id {
  kUnk = 1,
  kCls,
  kSep,
  kUn,
  kAff,
  kAble,
  kCafe,
  kComma,
  kBang,
  kOpen,
  kClose,
  kSepWord,
  kNi,
  kHao,
  kSigma,
  kA,
  kMoreA
};

std::vector<std::int32_t> encode(std::string_view text, std::size_t most = 32) {
  static const WordPiece pieces = std::move(*WordPiece::read(std::string(kVocabulary)));
  std::vector<std::int32_t> ids;
  pieces.encode(text, most, ids);
  return ids;
}

using Ids = std::vector<std::int32_t>;

TEST(WordPiece, TakesTheLongestPieceAgainAndAgain) {
  EXPECT_EQ(encode("unaffable"), (Ids{kCls, kUn, kAff, kAble, kSep}));
  EXPECT_EQ(encode(""), (Ids{kCls, kSep}));
}

TEST(WordPiece, MakesTheWholeWordUnknownWhereAPartIs) {
  EXPECT_EQ(encode("unaffx un"), (Ids{kCls, kUnk, kUn, kSep}));
}

TEST(WordPiece, LowersAndStripsMarksWhetherComposedOrNot) {
  EXPECT_EQ(encode("CAF\xC3\x89"), (Ids{kCls, kCafe, kSep}));
  EXPECT_EQ(encode("cafe\xCC\x81"), (Ids{kCls, kCafe, kSep}));
  EXPECT_EQ(encode("\xCE\xA3"), (Ids{kCls, kSigma, kSep}));  // capital sigma
}

TEST(WordPiece, PartsPunctuationAndChineseSigns) {
  EXPECT_EQ(encode("un,un!"), (Ids{kCls, kUn, kComma, kUn, kBang, kSep}));
  EXPECT_EQ(encode("un\xE4\xBD\xA0\xE5\xA5\xBDun"), (Ids{kCls, kUn, kNi, kHao, kUn, kSep}));
}

TEST(WordPiece, ReadsSpecialNamesInATextAsText) {
  EXPECT_EQ(encode("[SEP]"), (Ids{kCls, kOpen, kSepWord, kClose, kSep}));
}

TEST(WordPiece, DropsControlsAndInvalidBytesAndTakesEverySpace) {
  EXPECT_EQ(encode(std::string_view("u\0n\x01", 4)), (Ids{kCls, kUn, kSep}));
  EXPECT_EQ(encode("u\xFFn\xC3"), (Ids{kCls, kUn, kSep}));
  EXPECT_EQ(encode("u\xE2\x80\x8Dn"), (Ids{kCls, kUn, kSep}));  // zero-width joiner
  EXPECT_EQ(encode("un\xC2\xA0un\r\nun\xE3\x80\x80un"), (Ids{kCls, kUn, kUn, kUn, kUn, kSep}));
}

TEST(WordPiece, CallsAWordOfMoreThanAHundredSignsUnknown) {
  EXPECT_EQ(encode(std::string(100, 'a'), 200).size(), 102u);
  EXPECT_EQ(encode(std::string(101, 'a'), 200), (Ids{kCls, kUnk, kSep}));
  EXPECT_EQ(encode(std::string(5'000'000, 'a'), 200), (Ids{kCls, kUnk, kSep}));
}

TEST(WordPiece, CutsToTheLimitAndStillEnds) {
  EXPECT_EQ(encode("un un un un", 4), (Ids{kCls, kUn, kUn, kSep}));
  EXPECT_EQ(encode("unaffable", 4), (Ids{kCls, kUn, kAff, kSep}));
  EXPECT_EQ(encode("un", 2), (Ids{kCls, kSep}));
}

TEST(WordPiece, TakesAnyBytes) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text(rng.below(64), '\0');
    for (char& c : text) c = static_cast<char>(rng.below(256));
    const Ids ids = encode(text, 16);
    ASSERT_GE(ids.size(), 2u);
    ASSERT_LE(ids.size(), 16u);
    EXPECT_EQ(ids.front(), kCls);
    EXPECT_EQ(ids.back(), kSep);
    for (const std::int32_t id : ids) ASSERT_TRUE(id > 0 && id <= kMoreA);
  }
}

TEST(WordPiece, RefusesAVocabularyThatLacksOrRepeatsPieces) {
  const auto lacks = WordPiece::read("[UNK]\n[CLS]\nword\n");
  ASSERT_FALSE(lacks);
  EXPECT_NE(lacks.error().message.find("[SEP]"), std::string::npos);
  const auto twice = WordPiece::read("[UNK]\n[CLS]\n[SEP]\n##a\n##a\n");
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().message.find("line 5"), std::string::npos);
  EXPECT_FALSE(WordPiece::read(""));
}

}  // namespace
}  // namespace rung::text
