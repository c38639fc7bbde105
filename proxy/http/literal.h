// Comparing bytes with a constant, a word at a time.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/http/char_class.h"

namespace berth::http {

template <size_t N>
struct Literal {
  char text[N] = {};
  consteval Literal(const char (&from)[N]) {  // NOLINT(google-explicit-constructor)
    for (size_t i = 0; i < N; ++i) text[i] = from[i];
  }
  static constexpr size_t kSize = N - 1;
};

namespace detail {

// The word of `literal` at `offset`, or the mask that folds the case of its letters (and of nothing
// else: a mask of 0x20 throughout would take CR for '-').
template <class Word, Literal literal>
consteval Word literal_word(size_t offset, bool fold_mask) {
  std::array<char, sizeof(Word)> bytes{};
  for (size_t i = 0; i < sizeof(Word); ++i) {
    const char c = literal.text[offset + i];
    bytes[i] = fold_mask ? (c >= 'a' && c <= 'z' ? char{0x20} : char{0}) : c;
  }
  return std::bit_cast<Word>(bytes);
}

template <class Word, Literal literal, size_t offset, bool fold>
inline bool word_differs(const char* at) {
  Word word;
  std::memcpy(&word, at + offset, sizeof word);
  if constexpr (fold) word = static_cast<Word>(word | literal_word<Word, literal>(offset, true));
  return word != literal_word<Word, literal>(offset, false);
}

template <Literal literal, bool fold>
inline bool bytes_are(const char* at) {
  constexpr size_t n = literal.kSize;
  static_assert(n >= 1 && n <= 24);
  if constexpr (n > 16) {
    if (word_differs<uint64_t, literal, 8, fold>(at)) return false;
  }
  if constexpr (n >= 8) {
    return !word_differs<uint64_t, literal, 0, fold>(at) &&
           !word_differs<uint64_t, literal, n - 8, fold>(at);
  } else if constexpr (n >= 4) {
    return !word_differs<uint32_t, literal, 0, fold>(at) &&
           !word_differs<uint32_t, literal, n - 4, fold>(at);
  } else if constexpr (n >= 2) {
    return !word_differs<uint16_t, literal, 0, fold>(at) &&
           !word_differs<uint16_t, literal, n - 2, fold>(at);
  } else {
    return !word_differs<uint8_t, literal, 0, fold>(at);
  }
}

}  // namespace detail

// True if the literal's bytes stand at `at`, which has at least that many.
template <Literal literal>
inline bool starts_with(const char* at) {
  return detail::bytes_are<literal, false>(at);
}

// The same for a lower-case literal and text in any case.
template <Literal literal>
inline bool starts_with_nocase(const char* at) {
  return detail::bytes_are<literal, true>(at);
}

// True if `text` is the lower-case literal, in any case.
template <Literal literal>
inline bool equals_nocase(std::string_view text) {
  return text.size() == literal.kSize && starts_with_nocase<literal>(text.data());
}

inline bool equals_nocase(std::string_view a, std::string_view b) {
  return equal_in_any_case(a, b);
}

}  // namespace berth::http
