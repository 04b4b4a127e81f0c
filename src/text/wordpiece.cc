#include "text/wordpiece.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "text/unicode.h"

namespace rung::text {
namespace {

bool is_chinese(std::uint32_t sign) {
  return (sign >= 0x4E00 && sign <= 0x9FFF) || (sign >= 0x3400 && sign <= 0x4DBF) ||
         (sign >= 0x20000 && sign <= 0x2A6DF) || (sign >= 0x2A700 && sign <= 0x2B81F) ||
         (sign >= 0x2B820 && sign <= 0x2CEAF) || (sign >= 0xF900 && sign <= 0xFAFF) ||
         (sign >= 0x2F800 && sign <= 0x2FA1F);
}

enum class Kind { kNothing, kSpace, kPunctuation, kLetter };

/// What BERT's rules make of a sign; marks are nothing only after decomposition.
Kind kind_of(std::uint32_t sign) {
  if (sign == '\t' || sign == '\n' || sign == '\r' || sign == ' ') return Kind::kSpace;
  if (sign < 0x80) {
    if (sign < 0x20 || sign == 0x7F) return Kind::kNothing;
    const std::uint32_t low = sign | 0x20u;
    return (low >= 'a' && low <= 'z') || (sign >= '0' && sign <= '9') ? Kind::kLetter
                                                                      : Kind::kPunctuation;
  }
  if (sign == 0xFFFD || (sign >= 0xD800 && sign <= 0xDFFF)) return Kind::kNothing;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(sign))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
      return Kind::kNothing;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Kind::kSpace;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return Kind::kPunctuation;
    default:
      return Kind::kLetter;
  }
}

/// The canonical decomposition of a sign; how many signs of `out` it fills.
std::size_t decompose(std::uint32_t sign, std::array<utf8proc_int32_t, 32>& out) {
  if (sign >= 0x80) {
    int boundary = 0;
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(sign), out.data(),
                                           static_cast<utf8proc_ssize_t>(out.size()),
                                           UTF8PROC_DECOMPOSE, &boundary);
    if (n > 0 && static_cast<std::size_t>(n) <= out.size()) return static_cast<std::size_t>(n);
  }
  out[0] = static_cast<utf8proc_int32_t>(sign);
  return 1;
}

void append(std::string& word, utf8proc_int32_t sign) {
  utf8proc_uint8_t bytes[4];
  const auto n = utf8proc_encode_char(sign, bytes);
  word.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
}

}  // namespace

Result<WordPiece> WordPiece::read(std::string vocabulary) {
  WordPiece out;
  out.vocabulary_ = std::make_unique<const std::string>(std::move(vocabulary));
  const std::string_view all = *out.vocabulary_;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    std::string_view piece = all.substr(begin, end - begin);
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    const bool within = piece.starts_with("##") && piece.size() > 2;
    if (within) piece.remove_prefix(2);
    if (!(within ? out.within_ : out.first_)
             .emplace(piece, static_cast<std::int32_t>(out.pieces_))
             .second)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("line {} of the vocabulary repeats the piece '{}{}'; each may be "
                               "there once",
                               out.pieces_ + 1, within ? "##" : "", piece)};
    out.longest_ = std::max(out.longest_, piece.size());
    ++out.pieces_;
    begin = end + 1;
  }
  for (const auto& [name, id] : {std::pair<std::string_view, std::int32_t*>{"[UNK]", &out.unknown_},
                                 {"[CLS]", &out.begin_},
                                 {"[SEP]", &out.end_}}) {
    const auto at = out.first_.find(name);
    if (at == out.first_.end())
      return Error{ErrorCode::kInvalidData,
                   fmt::format("the vocabulary of {} pieces lacks {}; expected BERT's vocab.txt, "
                               "one piece a line",
                               out.pieces_, name)};
    *id = at->second;
  }
  return out;
}

void WordPiece::add_word(std::string_view word, std::size_t signs,
                         std::vector<std::int32_t>& ids) const {
  if (signs > kMaxWordSigns) return ids.push_back(unknown_);
  const std::size_t before = ids.size();
  for (std::size_t at = 0; at < word.size();) {
    const Pieces& pieces = at == 0 ? first_ : within_;
    std::size_t n = std::min(word.size() - at, longest_);
    auto found = pieces.end();
    for (; n > 0; --n) {
      const bool whole_sign =
          at + n == word.size() || (static_cast<unsigned char>(word[at + n]) & 0xC0u) != 0x80u;
      if (!whole_sign) continue;
      found = pieces.find(word.substr(at, n));
      if (found != pieces.end()) break;
    }
    if (n == 0) {  // one unknown part makes the whole word unknown
      ids.resize(before);
      return ids.push_back(unknown_);
    }
    ids.push_back(found->second);
    at += n;
  }
}

void WordPiece::encode(std::string_view text, std::size_t max_tokens,
                       std::vector<std::int32_t>& ids) const {
  RUNG_CHECK(max_tokens >= 2, "a text has at least [CLS] and [SEP]");
  ids.assign(1, begin_);
  thread_local std::string word;
  std::size_t signs = 0;
  word.clear();
  const auto flush = [&] {
    if (signs > 0) add_word(word, signs, ids);
    word.clear();
    signs = 0;
  };
  std::array<utf8proc_int32_t, 32> parts;
  for (std::size_t at = 0; at < text.size() && ids.size() < max_tokens;) {
    const std::uint32_t sign = next_sign(text, at);
    const Kind whole = kind_of(sign);
    if (whole == Kind::kNothing) continue;
    const bool alone = is_chinese(sign);
    if (whole == Kind::kSpace || alone) flush();
    if (whole == Kind::kSpace) continue;
    const std::size_t n = decompose(sign, parts);
    for (std::size_t p = 0; p < n; ++p) {
      if (parts[p] >= 0x80 && utf8proc_category(parts[p]) == UTF8PROC_CATEGORY_MN) continue;
      const utf8proc_int32_t low = utf8proc_tolower(parts[p]);
      const bool punctuation = kind_of(static_cast<std::uint32_t>(low)) == Kind::kPunctuation;
      if (punctuation) flush();
      // A word beyond the limit is unknown however it goes on: it need not be kept.
      if (signs <= kMaxWordSigns) append(word, low), ++signs;
      if (punctuation) flush();
    }
    if (alone) flush();
  }
  if (ids.size() < max_tokens) flush();
  if (ids.size() > max_tokens - 1) ids.resize(max_tokens - 1);
  ids.push_back(end_);
}

}  // namespace rung::text
