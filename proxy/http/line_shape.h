// What the scanners (scan.h) share.
#pragma once

#include "proxy/http/char_class.h"

namespace berth::http {

// Where the parts of a line "name: value\r\n" meet.
struct LineShape {
  const char* colon;
  const char* value_end;  // at the CR
};

namespace detail {

// The first byte in [at, end) that is not of the class.
inline const char* skip_class(const char* at, const char* end, CharClass which) {
  while (at != end && is_class(*at, which)) ++at;
  return at;
}

}  // namespace detail

}  // namespace berth::http
