// A scanner (scan.h) for x86-64: 16 bytes at a time. AVX2 was measured and gains nothing: names and
// values are too short.
#pragma once

#ifdef __SSE2__

#include <emmintrin.h>

#include <cstdint>

#include "proxy/http/char_class.h"
#include "proxy/http/line_shape.h"
#include "proxy/http/literal.h"

namespace berth::http {

struct Sse2Scan {
  // The shape of a line that is whole and plain, as almost all are: a name of letters, digits, "-"
  // and ".", a colon, one space, a value of printable ASCII without white space at its ends, CRLF.
  // False for all other lines, right or wrong.
  [[gnu::always_inline]] static bool plain_line(const char* at, const char* end, LineShape& shape) {
    const char* colon = at;
    unsigned common;
    for (;; colon += kBlock) {
      if (!has_block(colon, end)) return false;
      common = common_mask(load(colon));
      if (common != kAll) break;
    }
    colon += first_zero(common);
    const char* value_end = colon + 2;
    if (colon == at || end - colon < 3 || !starts_with<": ">(colon) || *value_end == ' ') {
      return false;
    }

    unsigned printable;
    for (;; value_end += kBlock) {
      if (!has_block(value_end, end)) [[unlikely]] {
        // The last block again: what has been seen of it is all part of this line, and printable.
        value_end = end - kBlock;
        printable = printable_mask(load(value_end));
        break;
      }
      printable = printable_mask(load(value_end));
      if (printable != kAll) break;
    }
    value_end += first_zero(printable);
    if (end - value_end < 2 || !starts_with<"\r\n">(value_end) || value_end[-1] == ' ')
      return false;
    shape = {colon, value_end};
    return true;
  }

  static const char* value_end(const char* at, const char* end) {
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i del = _mm_set1_epi8(0x7f);
    while (end - at >= kBlock) {
      const __m128i x = load(at);
      const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, last_control), x);
      const unsigned allowed = ~mask(_mm_or_si128(control, _mm_cmpeq_epi8(x, del))) & kAll;
      at += first_zero(allowed);
      if (allowed == kAll) continue;
      if (*at != '\t') return at;
      ++at;
    }
    return detail::skip_class(at, end, kValueChar);
  }

  static const char* target_end(const char* at, const char* end) {
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i del = _mm_set1_epi8(0x7f);
    const __m128i hash = _mm_set1_epi8('#');
    while (end - at >= kBlock) {
      const __m128i x = load(at);
      const __m128i visible = _mm_cmpgt_epi8(x, space);  // signed: 0x80 and above are negative
      const __m128i barred = _mm_or_si128(_mm_cmpeq_epi8(x, del), _mm_cmpeq_epi8(x, hash));
      const unsigned allowed = mask(_mm_andnot_si128(barred, visible));
      at += first_zero(allowed);
      if (allowed != kAll) return at;
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
  static constexpr int kBlock = 16;
  static constexpr unsigned kAll = 0xffff;  // a mask has a bit for each byte of a block

  // Are there as many bytes? As numbers: there may be none so far before the end.
  static bool has_block(const char* at, const char* end) {
    return reinterpret_cast<uintptr_t>(at) <= reinterpret_cast<uintptr_t>(end) - kBlock;
  }
  static __m128i load(const char* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  static unsigned mask(__m128i x) { return static_cast<unsigned>(_mm_movemask_epi8(x)); }
  // Of a mask, whose upper half is 0: 16 if all bits of the lower half are set.
  static unsigned first_zero(unsigned bits) { return static_cast<unsigned>(__builtin_ctz(~bits)); }

  // x - low < count, unsigned, by way of the signed comparison that SSE2 has: low becomes -128.
  static __m128i in_range(__m128i x, char low, int count) {
    const __m128i shift = _mm_set1_epi8(static_cast<char>(0x80 - low));
    return _mm_cmplt_epi8(_mm_add_epi8(x, shift), _mm_set1_epi8(static_cast<char>(-0x80 + count)));
  }

  // Letters, digits, '-' and '.': nearly all there is in the names of fields and hosts.
  static unsigned common_mask(__m128i x) {
    const __m128i letter = in_range(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 26);
    const __m128i dash_to_nine = in_range(x, '-', '9' - '-' + 1);
    const __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('/'));
    return mask(_mm_or_si128(letter, _mm_andnot_si128(slash, dash_to_nine)));
  }

  // 0x20 to 0x7e. One more makes 0x7f negative, as 0x80 and above are.
  static unsigned printable_mask(__m128i x) {
    return mask(_mm_cmpgt_epi8(_mm_add_epi8(x, _mm_set1_epi8(1)), _mm_set1_epi8(0x20)));
  }

  // At the first byte that is not common, the table decides.
  static const char* skip_common(const char* at, const char* end, CharClass which) {
    while (end - at >= kBlock) {
      const unsigned common = common_mask(load(at));
      at += first_zero(common);
      if (common == kAll) continue;
      if (!is_class(*at, which)) return at;
      ++at;
    }
    return detail::skip_class(at, end, which);
  }
};

}  // namespace berth::http

#endif
