// Strict, incremental HTTP/1 head parsing (RFC 9112 sections 2 to 6). No leniency switches.
//
// The caller keeps the bytes: parse() is given everything received since the head's first byte, as
// often as more has come. A head that is there whole at the first call is parsed in one pass; one
// that dribbles in is only searched for its end (from where the last search stopped) and parsed
// when that is found, so that the work is linear in its length however small the pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/http/head.h"

namespace berth::http {

enum class ParseStatus : uint8_t { Complete, Incomplete, Refused };

struct ParseOutcome {
  ParseStatus status = ParseStatus::Incomplete;
  size_t head_size = 0;                     // Complete: bytes up to and with the empty line
  CloseReason refusal = CloseReason::None;  // Refused: why (its table entry has the status)
  // Refused: the rule that was broken, and the line that broke it (0: the start line, or several).
  CloseReason rule = CloseReason::None;
  size_t line_at = 0;
};

// Interim responses to one request: more is a server gone wild.
inline constexpr uint8_t kMaxInterims = 64;

struct HeadLimits {
  size_t max_head = size_t{32} * 1024;   // bytes, with the empty line: more is 431
  size_t max_target = size_t{8} * 1024;  // bytes: more is 414
  size_t max_fields = 128;               // more is 431
};

// Where the parsing of one head stands between two reads. Eight bytes, one per connection.
class HeadProgress {
 public:
  void reset() {
    scanned_ = 0;
    line_start_ = 0;
  }

 private:
  friend class HeadParser;
  uint32_t scanned_ = 0;     // searched for the end up to here
  uint32_t line_start_ = 0;  // the line that `scanned_` is in
};

// Once a head is complete or refused, `progress` is as new: ready for the next head.
class HeadParser {
 public:
  // One empty line before the request line is skipped (RFC 9112 section 2.2) and counted in
  // head_size. Refuses, with the reasons of close_reason.def: syntax that RFC 9112 does not allow
  // (a lone CR or LF, a folded line, a space before a colon, a control byte), a Host that breaks
  // section 3.2 or disagrees with an absolute-form target, CONNECT and TRACE, framing conflicts,
  // expectations other than 100-continue, a tunnelled Upgrade with a body. What becomes of the
  // fields: head_rules.h.
  static ParseOutcome parse(std::string_view bytes, const HeadLimits& limits,
                            HeadProgress& progress, RequestHead& head);

  // Some empty lines before the status line are skipped: apps send one behind a 100, as browsers
  // once did behind a form. Refuses with BadResponse, ResponseHeadTooLarge or
  // ResponseTooManyFields.
  static ParseOutcome parse(std::string_view bytes, const HeadLimits& limits,
                            HeadProgress& progress, ResponseHead& head);
};

}  // namespace berth::http
