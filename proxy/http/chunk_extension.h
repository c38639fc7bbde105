// What may stand behind a chunk's size (RFC 9112 section 7.1.1):
//
//   *( ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] BWS )
//
// White space before the first semicolon is not part of it (see body.cc). Extensions are dropped,
// so they are only checked: parsers that read them in their own way are how a body is made to end
// in two places.
#pragma once

#include <cstdint>

#include "proxy/http/char_class.h"

namespace berth::http {

// Where a line of extensions is read, one byte after the other, from behind the first semicolon.
enum class ChunkExtension : uint8_t {
  Begin,       // behind ";"
  Name,        // in the name
  NameEnd,     // behind the name and white space
  ValueBegin,  // behind "="
  Token,       // in the value
  Quoted,      // in a quoted value
  Escaped,     // behind a backslash in it
  ValueEnd,    // behind the value
  Refused,
};

// Whether the line may end here.
constexpr bool may_end(ChunkExtension at) {
  return at == ChunkExtension::Name || at == ChunkExtension::Token ||
         at == ChunkExtension::ValueEnd;
}

// Returns the state after `c`, which is not a CR.
constexpr ChunkExtension next_state(ChunkExtension at, char c) {
  using enum ChunkExtension;
  const bool blank = is_space_or_tab(c);
  const bool token = is_class(c, kTokenChar);
  switch (at) {
    case Begin:
      return blank ? Begin : token ? Name : Refused;
    case Name:
      if (token) return Name;
      [[fallthrough]];
    case NameEnd:
      return blank ? NameEnd : c == '=' ? ValueBegin : c == ';' ? Begin : Refused;
    case ValueBegin:
      return blank ? ValueBegin : c == '"' ? Quoted : token ? Token : Refused;
    case Token:
      if (token) return Token;
      [[fallthrough]];
    case ValueEnd:
      return blank ? ValueEnd : c == ';' ? Begin : Refused;
    case Quoted:
      if (c == '"') return ValueEnd;
      return c == '\\' ? Escaped : is_class(c, kValueChar) ? Quoted : Refused;
    case Escaped:
      return is_class(c, kValueChar) ? Quoted : Refused;
    case Refused:
      return Refused;
  }
  return Refused;
}

}  // namespace berth::http
