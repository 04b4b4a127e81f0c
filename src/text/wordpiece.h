#pragma once
// BERT's uncased WordPiece: text to ids of a vocabulary, as sentence encoders of that family
// expect.
//
// Clean (controls and invalid bytes go, all kinds of space are one), a space around each Chinese
// sign, canonical decomposition without marks, lower case; then words and punctuation, then the
// longest piece of the vocabulary again and again (Wu et al. 2016; google-research/bert,
// tokenization.py). We differ in one thing: "[SEP]" in a text is text, never the special token.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace rung::text {

/// Immutable after read: all threads share one. Movable.
class WordPiece {
 public:
  static constexpr std::size_t kMaxWordSigns = 100;  // a longer word is one unknown piece

  /// `vocabulary`: one piece a line, the line's number from 0 is its id; "##" marks a piece within
  /// a word. kInvalidData if [UNK], [CLS] or [SEP] is missing, or a piece is there twice.
  static Result<WordPiece> read(std::string vocabulary);

  /// Overwrites `ids` with [CLS] pieces [SEP], cut to `max_tokens` in all (at least 2). Takes any
  /// bytes; reads no more of the text than it needs.
  void encode(std::string_view text, std::size_t max_tokens, std::vector<std::int32_t>& ids) const;

  std::size_t size() const { return pieces_; }

 private:
  using Pieces = std::unordered_map<std::string_view, std::int32_t>;
  void add_word(std::string_view word, std::size_t signs, std::vector<std::int32_t>& ids) const;

  std::unique_ptr<const std::string> vocabulary_;  // what the keys look at
  Pieces first_, within_;
  std::size_t pieces_ = 0, longest_ = 0;  // longest: bytes of a piece
  std::int32_t unknown_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace rung::text
