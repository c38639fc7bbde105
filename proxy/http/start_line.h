// Request lines and status lines (RFC 9112 sections 3 and 4), judged from left to right like
// field_line.h.
#pragma once

#include <algorithm>
#include <cstring>

#include "proxy/http/field_line.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/head_rules.h"
#include "proxy/http/literal.h"

namespace berth::http {

// A longer extension method is refused; the longest registered one has 17 bytes.
inline constexpr size_t kMaxMethod = 32;

namespace detail {

template <class Scan>
inline const char* find_method_end(const char* at, const char* end) {
  if (end - at >= 4 && starts_with<"GET ">(at)) return at + 3;
  return Scan::name_end(at, at + std::min(static_cast<size_t>(end - at), kMaxMethod + 1));
}

// At "HTTP/1.x" CRLF, not that or not yet whole: a major version other than 1 is BadVersion,
// anything else is not a request line.
inline LineStep check_version(const char* at, const char* end, CloseReason& refusal) {
  constexpr std::string_view kPattern = "HTTP/d.d\r\n";
  for (const char expected : kPattern) {
    if (at == end) return LineStep::Partial;
    const bool fits = expected == 'd' ? is_class(*at, kDigit) : *at == expected;
    if (!fits) {
      if (expected == '\n') {  // behind a CR
        refusal = CloseReason::BareLineEnd;
        return LineStep::Refused;
      }
      return refuse_byte(at, end, CloseReason::BadRequestLine, CloseReason::BadRequestLine,
                         refusal);
    }
    ++at;
  }
  if (starts_with<"HTTP/1.">(at - kPattern.size())) return LineStep::Line;
  refusal = CloseReason::BadVersion;
  return LineStep::Refused;
}

// A newer minor version is spoken like ours.
inline uint8_t minor_version(char digit) {
  return digit == '0' ? 0 : 1;
}

}  // namespace detail

// Fills method, target, path, version and, of an absolute-form target, host.
template <class Scan>
inline LineStep read_start_line(const char* at, const char* end, const HeadLimits& limits,
                                RequestHead& head, const char*& next, CloseReason& refusal) {
  const char* const method_end = detail::find_method_end<Scan>(at, end);
  const auto method_size = static_cast<size_t>(method_end - at);
  if (method_size > kMaxMethod) {
    refusal = CloseReason::BadMethod;
    return LineStep::Refused;
  }
  if (method_end == end) return LineStep::Partial;
  if (method_size == 0 || *method_end != ' ') {
    return detail::refuse_byte(method_end, end, CloseReason::BadMethod, CloseReason::BadRequestLine,
                               refusal);
  }

  const char* const target = method_end + 1;
  const auto left = static_cast<size_t>(end - target);
  const char* const target_room = left > limits.max_target ? target + limits.max_target + 1 : end;
  const char* const target_end = Scan::target_end(target, target_room);
  const auto target_size = static_cast<size_t>(target_end - target);
  if (target_size > limits.max_target) {
    refusal = CloseReason::TargetTooLong;
    return LineStep::Refused;
  }
  if (target_end == end) return LineStep::Partial;
  if (target_size == 0 || *target_end != ' ') {
    return detail::refuse_byte(target_end, end, CloseReason::BadTarget, CloseReason::BadRequestLine,
                               refusal);
  }

  const char* const version = target_end + 1;
  constexpr std::ptrdiff_t kVersionSize = sizeof("HTTP/1.1\r\n") - 1;
  if (end - version < kVersionSize ||
      !(starts_with<"HTTP/1.1\r\n">(version) || starts_with<"HTTP/1.0\r\n">(version))) {
    const LineStep step = detail::check_version(version, end, refusal);
    if (step != LineStep::Line) return step;
  }
  next = version + kVersionSize;
  head.method_text = {at, method_size};
  head.method = method_from(head.method_text);
  head.target = {target, target_size};
  head.summary.minor_version = detail::minor_version(version[7]);
  refusal = apply_target_rules(head);
  return refusal == CloseReason::None ? LineStep::Line : LineStep::Refused;
}

// Fills version, status and reason. All refusals are BadResponse.
template <class Scan>
inline LineStep read_start_line(const char* at, const char* end, const HeadLimits&,
                                ResponseHead& head, const char*& next, CloseReason& refusal) {
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr std::ptrdiff_t kStatusEnd = sizeof("HTTP/1.1 200") - 1;
  refusal = CloseReason::BadResponse;
  if (*at == '\r' && end - at == 1) return LineStep::Partial;  // of an empty line, maybe
  if (end - at <= kStatusEnd) {
    const std::string_view part{at, std::min(static_cast<size_t>(end - at), kVersion.size())};
    return kVersion.starts_with(part) ? LineStep::Partial : LineStep::Refused;
  }
  if (!starts_with<"HTTP/1.">(at)) return LineStep::Refused;
  if (!is_class(at[7], kDigit) || at[8] != ' ') return LineStep::Refused;
  // RFC 9110 section 15: 600 and more are somebody's own, and count as 5xx.
  if (at[9] < '1' || at[9] > '9' || !is_class(at[10], kDigit) || !is_class(at[11], kDigit)) {
    return LineStep::Refused;
  }
  const char* reason = at + kStatusEnd;
  if (*reason == ' ') {
    ++reason;
  } else if (*reason != '\r') {
    return LineStep::Refused;
  }
  const char* const stop = Scan::value_end(reason, end);
  if (stop == end) return LineStep::Partial;
  if (*stop != '\r') return LineStep::Refused;
  if (stop + 1 == end) return LineStep::Partial;
  if (stop[1] != '\n') return LineStep::Refused;

  next = stop + 2;
  head.summary.minor_version = detail::minor_version(at[7]);
  head.status = static_cast<uint16_t>((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
  head.reason = {reason, static_cast<size_t>(stop - reason)};
  refusal = CloseReason::None;
  return LineStep::Line;
}

}  // namespace berth::http
