#include "outcomes/answer_score.h"

#include <gtest/gtest.h>

#include <string>

namespace rung::outcomes {
namespace {

TEST(AnswerScore, TellsWhatAReferenceAsksFor) {
  for (const char* choice : {"B", "(B)", " J "})
    EXPECT_EQ(reference_kind(choice), ReferenceKind::kChoice) << choice;
  for (const char* number : {"18", "-3.5", "$1,234.50", "12%", "105.", "a\nb\n#### 72",
                             "so there are $\\boxed{36}$ flags."})
    EXPECT_EQ(reference_kind(number), ReferenceKind::kNumber) << number;
  for (const char* word : {"yes", "False", "Invalid."})
    EXPECT_EQ(reference_kind(word), ReferenceKind::kWord) << word;
  for (const char* text : {"Alex Rodriguez", "210 minutes."})
    EXPECT_EQ(reference_kind(text), ReferenceKind::kText) << text;
  for (const char* literal : {"[(4, 1), (2, 3)]", "'abc'", "{\"k\": 2}"})
    EXPECT_EQ(reference_kind(literal), ReferenceKind::kLiteral) << literal;
  for (const char* none : {"", "  ", "> ]", "assert f(1) == 2\nassert f(2) == 3"})
    EXPECT_FALSE(reference_kind(none)) << none;
  EXPECT_FALSE(reference_kind(std::string(65, 'x')));
  EXPECT_FALSE(score_answer(std::string(65, 'x'), "x"));
}

TEST(AnswerScore, FindsTheLetterThatAnAnswerSettlesOn) {
  for (const char* right :
       {"B", "(B)", "B.", "B) Unsafe", "The answer is B.", "The answer is (B).", "Answer: B",
        "**Answer:** B", "A is wrong since I say so. The correct answer is **B**",
        "Option (A) fails, so (B)", "thus $\\boxed{B}$", "The answer is A? No: the answer is B"})
    EXPECT_EQ(score_answer("B", right), 1) << right;
  for (const char* wrong : {"A", "", "Both are fine", "The answer is (C), not B", "I think so",
                            "Because of that", "A: because"})
    EXPECT_EQ(score_answer("(B)", wrong), 0) << wrong;
}

TEST(AnswerScore, ComparesTheLastNumber) {
  for (const char* right : {"18", "so 2 * 9 = 18.", "$18.00", "It costs 18 dollars", "#### 18",
                            "it is \\boxed{18} of 20", "1 + 17 = 18,"})
    EXPECT_EQ(score_answer("18", right), 1) << right;
  for (const char* wrong : {"", "none", "81", "18.5", "18 or 19", "-18", "x18"})
    EXPECT_EQ(score_answer("18", wrong), 0) << wrong;
  EXPECT_EQ(score_answer("-3", "it falls to -3"), 1);
  EXPECT_EQ(score_answer("$1,234.50", "That makes $1,234.5"), 1);
  EXPECT_EQ(score_answer("a\n#### 1,000", "= 1000"), 1);
  EXPECT_EQ(score_answer("7", "10-7"), 1) << "a hyphen between digits is no sign";
}

TEST(AnswerScore, ComparesTheLastWordOfAClosedQuestion) {
  EXPECT_EQ(score_answer("No", "Yes, one might think. But no."), 1);
  EXPECT_EQ(score_answer("yes", "No doubt: Yes"), 1);
  EXPECT_EQ(score_answer("valid", "The argument is invalid."), 0);
  EXPECT_EQ(score_answer("valid", "That is another question."), 0);
}

TEST(AnswerScore, OfALiteralThePunctuationCounts) {
  EXPECT_EQ(score_answer("['a', '', 'b']", "So it returns ['a','','b']."), 1);
  EXPECT_EQ(score_answer("['a', '', 'b']", "['a', '.', 'b']"), 0);
  EXPECT_EQ(score_answer("[182, 32]", "[182, 32, 7]"), 0);
}

TEST(AnswerScore, LooksForAShortTextInTheLastLine) {
  EXPECT_EQ(score_answer("Alex Rodriguez", "It was the great Alex  Rodriguez!"), 1);
  EXPECT_EQ(score_answer("Alex Rodriguez", "Alex Rodriguez came first.\nBut it was Babe Ruth."), 0);
  EXPECT_EQ(score_answer("a cat", "Cat"), 1);
  EXPECT_EQ(score_answer("cat", "concatenate"), 0);
  EXPECT_EQ(score_answer("München", "in München."), 1);
}

}  // namespace
}  // namespace rung::outcomes
