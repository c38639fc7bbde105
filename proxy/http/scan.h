// Finding the end of a name, a value or a target: 16 bytes at a time with SSE2 (which every x86-64
// has), 8 elsewhere. Both are compiled everywhere and tested against each other. Nothing is read
// outside [at, end).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "proxy/http/char_class.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace berth::http {

namespace detail {

// The first byte in [at, end) that is not of the class.
inline const char* skip_class(const char* at, const char* end, CharClass which) {
  while (at != end && is_class(*at, which)) ++at;
  return at;
}

}  // namespace detail

// Words of eight bytes that hold nothing special are skipped; the table decides on the others.
struct PortableScan {
  static const char* value_end(const char* at, const char* end) {
    return skip(at, end, kValueChar,
                [](uint64_t w) { return has_less(w, 0x20) | has_byte(w, 0x7f); });
  }

  static const char* target_end(const char* at, const char* end) {
    return skip(at, end, kTargetChar, [](uint64_t w) {
      return has_less(w, 0x21) | has_byte(w, 0x7f) | has_byte(w, '#') | (w & kHighs);
    });
  }

  static const char* name_end(const char* at, const char* end) {
    return detail::skip_class(at, end, kTokenChar);
  }

  static const char* host_end(const char* at, const char* end) {
    return detail::skip_class(at, end, kHostChar);
  }

 private:
  static constexpr uint64_t kOnes = 0x0101010101010101;
  static constexpr uint64_t kHighs = 0x8080808080808080;

  // Not 0 if and only if some byte is less than `limit` (at most 128).
  static uint64_t has_less(uint64_t w, uint8_t limit) { return (w - kOnes * limit) & ~w & kHighs; }
  static uint64_t has_byte(uint64_t w, uint8_t byte) { return has_less(w ^ (kOnes * byte), 1); }

  template <class Special>
  static const char* skip(const char* at, const char* end, CharClass which, Special special) {
    while (end - at >= 8) {
      uint64_t word;
      std::memcpy(&word, at, sizeof word);
      if (special(word) != 0) {
        const char* stop = detail::skip_class(at, at + 8, which);
        if (stop != at + 8) return stop;
      }
      at += 8;
    }
    return detail::skip_class(at, end, which);
  }
};

#ifdef __SSE2__

struct Sse2Scan {
  static const char* value_end(const char* at, const char* end) {
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i del = _mm_set1_epi8(0x7f);
    while (end - at >= 16) {
      const __m128i x = load(at);
      const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, last_control), x);
      const unsigned stops = mask(_mm_or_si128(control, _mm_cmpeq_epi8(x, del)));
      if (stops == 0) {
        at += 16;
        continue;
      }
      at += std::countr_zero(stops);
      if (*at != '\t') return at;
      ++at;
    }
    return detail::skip_class(at, end, kValueChar);
  }

  static const char* target_end(const char* at, const char* end) {
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i del = _mm_set1_epi8(0x7f);
    const __m128i hash = _mm_set1_epi8('#');
    while (end - at >= 16) {
      const __m128i x = load(at);
      const __m128i visible = _mm_cmpgt_epi8(x, space);  // signed: 0x80 and above are negative
      const __m128i barred = _mm_or_si128(_mm_cmpeq_epi8(x, del), _mm_cmpeq_epi8(x, hash));
      const unsigned allowed = mask(_mm_andnot_si128(barred, visible));
      if (allowed != 0xffff) return at + std::countr_one(allowed);
      at += 16;
    }
    return detail::skip_class(at, end, kTargetChar);
  }

  static const char* name_end(const char* at, const char* end) {
    return skip_common(at, end, kTokenChar);
  }

  static const char* host_end(const char* at, const char* end) {
    return skip_common(at, end, kHostChar);
  }

 private:
  static __m128i load(const char* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  static unsigned mask(__m128i x) { return static_cast<unsigned>(_mm_movemask_epi8(x)); }

  // Letters, digits, '-' and '.' are nearly all there is in names of fields and hosts; at the first
  // other byte the table decides.
  static const char* skip_common(const char* at, const char* end, CharClass which) {
    while (end - at >= 16) {
      const __m128i x = load(at);
      // Unsigned "x - low < count" by way of a signed comparison: shift low to -128.
      const __m128i lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
      const __m128i letter =
          _mm_cmplt_epi8(_mm_add_epi8(lower, _mm_set1_epi8(static_cast<char>(0x80 - 'a'))),
                         _mm_set1_epi8(-128 + 26));
      const __m128i dash_to_nine =
          _mm_cmplt_epi8(_mm_add_epi8(x, _mm_set1_epi8(static_cast<char>(0x80 - '-'))),
                         _mm_set1_epi8(-128 + ('9' - '-' + 1)));
      const __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('/'));
      const unsigned common = mask(_mm_or_si128(letter, _mm_andnot_si128(slash, dash_to_nine)));
      if (common == 0xffff) {
        at += 16;
        continue;
      }
      at += std::countr_one(common);
      if (!is_class(*at, which)) return at;
      ++at;
    }
    return detail::skip_class(at, end, which);
  }
};

using DefaultScan = Sse2Scan;

#else

using DefaultScan = PortableScan;

#endif

}  // namespace berth::http
