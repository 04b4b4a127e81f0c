#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/random.h"
#include "json/splice.h"
#include "json/value.h"
#include "json/write.h"

namespace rung::json {
namespace {

TEST(Parse, TakesEveryKindOfValue) {
  for (const char* text :
       {"null", "true", "false", "0", "-0", "1.0", "1e21", "-12.5E-3", "\"\"", "[]", "{}",
        " [1 , 2 ] ", "{\"a\":{\"b\":[null]}}", "\"\\u0000\\ud83d\\ude00\\ud83d\"",
        "12345678901234567890", "{\"a\":1,\"a\":2}"})
    EXPECT_TRUE(parse(text)) << text;
}

TEST(Parse, RefusesEverythingElseWithAPosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "byte 0: the text ends"},       {"{", "byte 1: the text ends"},
      {"{\"a\"}", "byte 4: found '}'"},    {"{\"a\":}", "byte 5: found '}'"},
      {"[1,]", "byte 3: found ']'"},       {"[1 2]", "byte 3: found '2'"},
      {"{\"a\":1,}", "byte 7: found '}'"}, {"01", "byte 1: found '1'"},
      {"1.", "byte 2: the text ends"},     {"+1", "byte 0: found '+'"},
      {"tru", "byte 0: found 't'"},        {"\"a\nb\"", "byte 2: found byte 0x0a"},
      {"\"\\x\"", "byte 2: found 'x'"},    {"\"\\u12g4\"", "byte 5: found 'g'"},
      {"\"abc", "byte 4: the text ends"},  {"{} {}", "byte 3: found '{'"},
      {"nul\0l", "byte 0: found 'n'"},     {"'a'", "byte 0: found '''"}};
  for (const auto& [text, message] : cases) {
    const auto result = parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidJson);
    EXPECT_EQ(result.error().message.substr(0, std::string(message).size()), message) << text;
  }
  EXPECT_EQ(parse("\"\xc3\xa9\xff\"").error().message,
            "byte 3: found 0xff, which is not valid UTF-8 there; JSON is UTF-8");
  EXPECT_FALSE(parse(std::string(300, '[') + std::string(300, ']')));
  EXPECT_TRUE(parse(std::string(200, '[') + std::string(200, ']')));
}

TEST(Parse, RefusesEveryTruncationOfAnObject) {
  const std::string whole = R"({"a":[1,-2.5e3,"x\u00e9\"y"],"b":{"c":null,"d":true}})";
  ASSERT_TRUE(parse(whole));
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse(whole.substr(0, n))) << n;
}

TEST(Value, WalksMembersAndElementsInOrder) {
  const std::string text = R"( { "a" : 1 , "b\u0063" : [ "x" , {"y":"]"} , 3 ] , "a" : "two" } )";
  const Value root = *parse(text);
  std::string seen;
  for (const Member& m : members(root)) seen += m.key.text() + "=" + std::string(m.value.raw) + ";";
  EXPECT_EQ(seen, R"(a=1;bc=[ "x" , {"y":"]"} , 3 ];a="two";)");
  EXPECT_EQ(find(root, "a")->text(), "two");
  EXPECT_FALSE(find(root, "z"));
  std::size_t count = 0;
  for (const Value v : elements(*find(root, "bc"))) count += v.raw.size();
  EXPECT_EQ(count, 3u + 9u + 1u);
}

TEST(Value, DecodesEscapesAndReplacesLoneSurrogates) {
  EXPECT_EQ(parse(R"("\ud83d\ude00 \u00e9 \n\/")")->text(), "\xf0\x9f\x98\x80 \xc3\xa9 \n/");
  EXPECT_EQ(parse(R"("\ud83d x")")->text(), "\xef\xbf\xbd x");
  EXPECT_EQ(parse(R"("\ude00\ud83d\u0041")")->text(),
            "\xef\xbf\xbd\xef\xbf\xbd"
            "A");
  EXPECT_TRUE(parse(R"("\u0061b")")->equals("ab"));
  EXPECT_EQ(parse("\"\\u0000\"")->text(), std::string(1, '\0'));
}

TEST(Value, ReadsIntegersExactlyOrNotAtAll) {
  EXPECT_EQ(parse("9007199254740993")->integer(), 9007199254740993);
  EXPECT_FALSE(parse("12345678901234567890")->integer());
  EXPECT_FALSE(parse("1.0")->integer());
  EXPECT_EQ(parse("1e3")->number(), 1000.0);
  EXPECT_FALSE(parse("\"1\"")->number());
}

TEST(Value, FindsStringEndsAtEveryAlignment) {
  for (std::size_t n = 0; n < 100; ++n) {
    const std::string text = "[\"" + std::string(n, 'a') + "\\\"\",1]";
    const Value root = *parse(text);
    std::size_t count = 0;
    for (const Value v : elements(root)) {
      count += 1;
      if (v.is_string()) {
        EXPECT_EQ(v.text(), std::string(n, 'a') + "\"");
      }
    }
    EXPECT_EQ(count, 2u);
  }
}

TEST(Splice, KeepsEveryOtherByte) {
  const std::string text = R"({ "seed":9007199254740993, "model" : "auto","t":1.0 ,"model":"x"})";
  const Value root = *parse(text);
  Splice splice(text);
  splice.set(root, "model", "\"real\"");
  splice.set(root, "effort", "\"low\"");
  EXPECT_EQ(
      splice.apply(),
      R"({ "seed":9007199254740993, "model" : "real","t":1.0 ,"model":"real","effort":"low"})");
  const std::string empty = "{}";
  Splice add(empty);
  add.set(*parse(empty), "a", "1");
  EXPECT_EQ(add.apply(), "{\"a\":1}");
  add.set(*parse(empty), "b", "2");
  EXPECT_EQ(add.apply(), "{\"a\":1,\"b\":2}");
}

TEST(Writer, WritesWhatParseReads) {
  Writer w;
  w.begin_object().key("a\n").string("\"\\\x01 \xff \xc3\xa9").key("n").number(0.1);
  w.key("list")
      .begin_array()
      .number(1)
      .null()
      .boolean(true)
      .begin_object()
      .end_object()
      .end_array();
  w.key("nan").number(std::nan("")).key("none").number_or_null(std::optional<int>()).end_object();
  EXPECT_EQ(
      w.text(),
      "{\"a\\n\":\"\\\"\\\\\\u0001 \xef\xbf\xbd \xc3\xa9\",\"n\":0.1,\"list\":[1,null,true,{}],"
      "\"nan\":null,\"none\":null}");
  EXPECT_TRUE(parse(w.text()));
}

TEST(Writer, AnyBytesBecomeJson) {
  Rng rng(5);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(rng.below(12), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.below(256));
    std::string out;
    append_quoted(bytes, out);
    ASSERT_TRUE(parse(out)) << out;
  }
}

TEST(Value, EqualsTheTextHoweverItIsWritten) {
  const auto is = [](std::string_view raw, std::string_view text) {
    return Value{raw}.equals(text);
  };
  EXPECT_TRUE(is(R"("model")", "model"));
  EXPECT_TRUE(is(R"("m\u006fdel")", "model"));
  EXPECT_TRUE(is(R"("\u006dodel")", "model"));
  EXPECT_TRUE(is(R"("mode\u006c")", "model"));
  EXPECT_TRUE(is(R"("a\\b")", "a\\b"));
  EXPECT_TRUE(is(R"("")", ""));
  EXPECT_FALSE(is(R"("a\\b")", R"(a\\b)")) << "the bytes are alike, the texts are not";
  EXPECT_FALSE(is(R"("models")", "model"));
  EXPECT_FALSE(is(R"("mode")", "model"));
  EXPECT_FALSE(is(R"("model\u0073")", "model"));
  EXPECT_FALSE(is(R"("node\u006c")", "model"));
  EXPECT_FALSE(is("12", "12")) << "no string";
}

}  // namespace
}  // namespace rung::json
