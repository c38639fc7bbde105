#include "proxy/server/access_log_text.h"

#include <cstddef>
#include <iterator>

namespace berth::server {
namespace {

bool needs_escape(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
}

// Sixteen bytes at a time, in the compilers' own portable form of SIMD.
using Bytes = signed char __attribute__((vector_size(16)));

// Nonzero where a byte needs an escape. Signed: those beyond ASCII are below zero.
Bytes escapes_in(Bytes bytes) {
  return (bytes < 0x20) | (bytes == '"') | (bytes == '\\');
}

bool any(Bytes bytes) {
  uint64_t halves[2];
  std::memcpy(halves, &bytes, sizeof(halves));
  return (halves[0] | halves[1]) != 0;
}

// Copies `Word` at the start and another at the end, which may overlap, and tells whether a byte
// needs more than that.
template <class Word>
bool copy_ends(char* out, std::string_view text) {
  Word words[sizeof(Bytes) / sizeof(Word)];
  for (size_t i = 0; i < std::size(words); ++i) {
    std::memcpy(&words[i], text.data() + (i % 2 == 0 ? 0 : text.size() - sizeof(Word)),
                sizeof(Word));
  }
  std::memcpy(out, &words[0], sizeof(Word));
  std::memcpy(out + text.size() - sizeof(Word), &words[1], sizeof(Word));
  Bytes bytes;
  std::memcpy(&bytes, words, sizeof(bytes));
  return any(escapes_in(bytes));
}

// Copies all of the text and tells whether nothing in it needs an escape.
[[gnu::always_inline]] inline bool copy_plain(char* out, std::string_view text) {
  const char* from = text.data();
  const size_t size = text.size();
  if (size < 4) {
    bool plain = true;
    for (size_t i = 0; i < size; ++i) {
      plain &= !needs_escape(from[i]);
      out[i] = from[i];
    }
    return plain;
  }
  if (size < 8) return !copy_ends<uint32_t>(out, text);
  if (size < 16) return !copy_ends<uint64_t>(out, text);
  Bytes found{};
  const auto copy = [&](size_t at) {
    Bytes bytes;
    std::memcpy(&bytes, from + at, sizeof(bytes));
    std::memcpy(out + at, &bytes, sizeof(bytes));
    found |= escapes_in(bytes);
  };
  for (size_t at = 0; at + sizeof(Bytes) < size; at += sizeof(Bytes)) copy(at);
  copy(size - sizeof(Bytes));
  return !any(found);
}

constexpr std::string_view kLowerHex = "0123456789abcdef";
constexpr std::string_view kUpperHex = "0123456789ABCDEF";

// The length of the well-formed UTF-8 sequence (RFC 3629) that starts with the byte beyond ASCII at
// `at`; 0: none does.
size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  size_t length = 0;
  unsigned char low = 0x80;  // bounds of the second byte
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() - at < length || byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

char* put_control(char* out, char c) {
  switch (c) {
    case '\b':
      return put_literal(out, "\\b");
    case '\f':
      return put_literal(out, "\\f");
    case '\n':
      return put_literal(out, "\\n");
    case '\r':
      return put_literal(out, "\\r");
    case '\t':
      return put_literal(out, "\\t");
    default:
      break;
  }
  out = put_literal(out, "\\u00");
  *out++ = kLowerHex[static_cast<unsigned char>(c) >> 4];
  *out++ = kLowerHex[static_cast<unsigned char>(c) & 15];
  return out;
}

[[gnu::noinline]] char* put_json_escaped(char* out, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (!needs_escape(c)) {
      *out++ = c;
      ++at;
    } else if (c == '"' || c == '\\') {
      *out++ = '\\';
      *out++ = c;
      ++at;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out = put_control(out, c);
      ++at;
    } else if (const size_t length = utf8_length(text, at); length != 0) {
      out = put(out, text.substr(at, length));
      at += length;
    } else {
      out = put_literal(out, "\\ufffd");
      ++at;
    }
  }
  return out;
}

}  // namespace

char* put_json_text(char* out, std::string_view text) {
  if (copy_plain(out, text)) return out + text.size();
  return put_json_escaped(out, text);
}

char* put_hex_escaped(char* out, std::string_view text) {
  if (copy_plain(out, text) && text.find('\x7f') == std::string_view::npos)
    return out + text.size();
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!needs_escape(c) && byte != 0x7f) {
      *out++ = c;
      continue;
    }
    out = put_literal(out, "\\x");
    *out++ = kUpperHex[byte >> 4];
    *out++ = kUpperHex[byte & 15];
  }
  return out;
}

}  // namespace berth::server
