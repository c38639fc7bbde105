// One header or trailer line, the hottest loop of all: "name:" OWS value OWS CRLF (RFC 9112
// section 5), bytes judged strictly from left to right. What is refused in a line that is still
// incomplete is therefore refused, for the same reason, however the line goes on.
#pragma once

#include <cstdint>

#include "proxy/base/close_reason.h"
#include "proxy/http/char_class.h"
#include "proxy/http/head.h"
#include "proxy/http/scan.h"

namespace berth::http {

enum class LineStep : uint8_t { Line, Empty, Partial, Refused };

namespace detail {

// At a byte that may not stand there: a line end out of place or `otherwise`. A CR that is the last
// byte received may still turn out to be half a line end: Partial.
inline LineStep refuse_byte(const char* at, const char* end, CloseReason otherwise,
                            CloseReason line_end, CloseReason& refusal) {
  if (*at == '\r') {
    if (at + 1 == end) return LineStep::Partial;
    refusal = at[1] == '\n' ? line_end : CloseReason::BareLineEnd;
  } else {
    refusal = *at == '\n' ? CloseReason::BareLineEnd : otherwise;
  }
  return LineStep::Refused;
}

// No name, or one that does not end with a colon.
inline LineStep no_field(const char* start, const char* at, const char* end, const char*& next,
                         CloseReason& refusal) {
  if (at == end) return LineStep::Partial;
  if (at == start) {
    if (*at == '\r' && at + 1 != end && at[1] == '\n') {
      next = at + 2;
      return LineStep::Empty;
    }
    if (is_space_or_tab(*at)) {
      refusal = CloseReason::ObsFold;
      return LineStep::Refused;
    }
  }
  return refuse_byte(at, end, CloseReason::BadHeaderName, CloseReason::BadHeaderName, refusal);
}

}  // namespace detail

// What Scan::plain_line has found; returns the start of the next line.
inline const char* take_plain_line(const char* at, LineShape shape, HeaderField& field) {
  const char* const value = shape.colon + 2;
  const char* const next = shape.value_end + 2;
  field.name = {at, static_cast<size_t>(shape.colon - at)};
  field.value = {value, static_cast<size_t>(shape.value_end - value)};
  field.line_size = static_cast<uint32_t>(next - at);
  return next;
}

// Reads any line at `at`. Line: name, value and line_size of `field` are set, and `next` is behind
// the CRLF. Empty: the empty line, `next` is behind it. Refused: `refusal` says why.
template <class Scan>
[[gnu::noinline]] LineStep read_field_line(const char* at, const char* end, HeaderField& field,
                                           const char*& next, CloseReason& refusal) {
  const char* const name = at;
  const char* const colon = Scan::name_end(at, end);
  if (colon == name || colon == end || *colon != ':') {
    return detail::no_field(name, colon, end, next, refusal);
  }
  const char* value = colon + 1;
  while (value != end && is_space_or_tab(*value)) ++value;

  const char* const stop = Scan::value_end(value, end);
  if (stop == end) return LineStep::Partial;
  if (*stop != '\r' || end - stop < 2 || stop[1] != '\n') {
    return detail::refuse_byte(stop, end, CloseReason::BadHeaderValue, CloseReason::BareLineEnd,
                               refusal);
  }
  const char* value_end = stop;
  while (value_end != value && is_space_or_tab(value_end[-1])) --value_end;

  field.name = {name, static_cast<size_t>(colon - name)};
  field.value = {value, static_cast<size_t>(value_end - value)};
  next = stop + 2;
  const bool canonical = value - colon == 2 && colon[1] == ' ' && value_end == stop;
  field.line_size = canonical ? static_cast<uint32_t>(next - name) : 0;
  return LineStep::Line;
}

}  // namespace berth::http
