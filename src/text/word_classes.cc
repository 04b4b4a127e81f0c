#include "text/word_classes.h"

#include <array>
#include <string_view>

namespace rung::text {
namespace {

struct Entry {
  std::string_view words;  // separated by single spaces
  WordClass kind;
};

constexpr Entry kEntries[] = {
    {"def return class import function assert print self int float str for while if else elif none "
     "null true false void const var let public static string list dict array python java "
     "javascript sql html css code algorithm regex api json loop lambda struct std include",
     WordClass::kCode},
    {"what whats", WordClass::kWhat},
    {"which whose", WordClass::kWhich},
    {"how", WordClass::kHow},
    {"why", WordClass::kWhy},
    {"who when where whom", WordClass::kWho},
    {"not no except least never cannot without neither nor incorrect untrue", WordClass::kNegation},
    {"following statement statements options option answer choose select correct question passage "
     "sentence premise hypothesis context choices sequence best describes likely",
     WordClass::kTask},
    {"write explain summarize summarise translate describe create generate give list tell make "
     "compose draft rewrite suggest provide help find calculate compute solve determine prove "
     "show convert complete evaluate simplify",
     WordClass::kVerb},
    {"i me my you your we our us please", WordClass::kFirstPerson},
};

constexpr std::size_t kSlots = 1024;
struct Slot {
  std::uint64_t hash = 0;
  WordClass kind = WordClass::kNone;
};

constexpr std::size_t slot_of(std::uint64_t hash) {
  return static_cast<std::size_t>((hash ^ (hash >> 29)) & (kSlots - 1));
}

constexpr std::array<Slot, kSlots> make_slots() {
  std::array<Slot, kSlots> slots{};
  for (const Entry& entry : kEntries) {
    std::uint64_t hash = kWordSeed;
    for (std::size_t i = 0; i <= entry.words.size(); ++i) {
      if (i < entry.words.size() && entry.words[i] != ' ') {
        hash = extend_word(hash, static_cast<std::uint32_t>(entry.words[i]));
        continue;
      }
      std::size_t at = slot_of(hash);
      while (slots[at].kind != WordClass::kNone && slots[at].hash != hash) at = (at + 1) % kSlots;
      if (slots[at].kind == WordClass::kNone) slots[at] = {hash, entry.kind};
      hash = kWordSeed;
    }
  }
  return slots;
}

constexpr std::array<Slot, kSlots> kTable = make_slots();

}  // namespace

WordClass class_of(std::uint64_t word_hash) {
  for (std::size_t at = slot_of(word_hash); kTable[at].kind != WordClass::kNone;
       at = (at + 1) % kSlots) {
    if (kTable[at].hash == word_hash) return kTable[at].kind;
  }
  return WordClass::kNone;
}

}  // namespace rung::text
