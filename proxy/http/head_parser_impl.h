// HeadParser over a way of scanning (scan.h); a header of its own so that the tests can run every
// scanner that this machine has.
//
// Split invariance: what a head leads to does not depend on the pieces in which it came. Errors of
// syntax come first, from left to right; what the fields mean together is looked at when the empty
// line is there (head_rules.h); nothing beyond max_head bytes is ever looked at.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "proxy/http/field_line.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/head_rules.h"
#include "proxy/http/header_id_table.h"
#include "proxy/http/start_line.h"

namespace berth::http {

template <class Scan>
class HeadParserImpl {
 public:
  // `scanned` and `line_start` are HeadProgress's.
  template <class Head>
  static ParseOutcome parse(std::string_view bytes, const HeadLimits& limits, uint32_t& scanned,
                            uint32_t& line_start, Head& head) {
    const size_t size = std::min(bytes.size(), limits.max_head);
    const Input in{bytes.data(), bytes.data() + size, limits};
    const bool full = size == limits.max_head;
    if (scanned != 0 && !full && !line_ended(in, scanned) && !start_line_too_long(in, line_start)) {
      scanned = static_cast<uint32_t>(size);
      return {};
    }
    ParseOutcome outcome = parse_from(in, line_start, head);
    scanned = static_cast<uint32_t>(size);
    if (outcome.status == ParseStatus::Incomplete && full) {
      outcome = refuse(CloseReason::HeadTooLarge);
    }
    return outcome;
  }

 private:
  struct Input {
    const char* begin;
    const char* end;
    const HeadLimits& limits;
  };

  static ParseOutcome refuse(CloseReason reason, size_t line_at = 0) {
    return {ParseStatus::Refused, 0, reason, reason, line_at};
  }

  // Empty lines before the start line that are skipped, in bytes.
  template <class Head>
  static constexpr uint32_t kMaxSkipped = std::is_same_v<Head, RequestHead> ? 2 : 8;

  // Has a line ended since the last call?
  static bool line_ended(const Input& in, uint32_t scanned) {
    const char* const from = in.begin + scanned;
    return std::memchr(from, '\n', static_cast<size_t>(in.end - from)) != nullptr;
  }

  // Only empty lines are before the start line, and no other line can begin so soon behind them.
  static bool in_start_line(const Input& in, uint32_t line_start) {
    return line_start == 0 || (line_start <= 8 && in.begin[0] == '\r');
  }

  // No acceptable request line is longer, so the part that is there can be refused already.
  static bool start_line_too_long(const Input& in, uint32_t line_start) {
    const size_t bound = kMaxMethod + in.limits.max_target + sizeof("  HTTP/1.1\r\n");
    return in_start_line(in, line_start) &&
           static_cast<size_t>(in.end - in.begin) - line_start > bound;
  }

  // Parses from the line at `line_start` on, and leaves `line_start` at the first line that is not
  // complete. Lines that were complete at an earlier call are not looked at again until the empty
  // line is found; then all are parsed once more, since the caller may have moved the bytes in
  // between.
  template <class Head>
  static ParseOutcome parse_from(const Input& in, uint32_t& line_start, Head& head) {
    head.clear();
    const bool whole = in_start_line(in, line_start);
    const char* at = in.begin + line_start;
    if (whole) {
      while (at - in.begin < kMaxSkipped<Head> && in.end - at >= 2 && at[0] == '\r' &&
             at[1] == '\n') {
        at += 2;
      }
      line_start = static_cast<uint32_t>(at - in.begin);
      CloseReason refusal = CloseReason::None;
      if (at == in.end) return {};
      const LineStep step = read_start_line<Scan>(at, in.end, in.limits, head, at, refusal);
      if (step == LineStep::Refused) return refuse(refusal);
      if (step == LineStep::Partial) return {};
    }
    const ParseOutcome outcome = parse_fields(in, at, whole, line_start, head);
    if (outcome.status != ParseStatus::Complete || whole) return outcome;
    line_start = 0;
    return parse_from(in, line_start, head);
  }

  // Lines beyond max_fields are checked like all others, and then make the head too large. The
  // rules are applied only to a whole head.
  template <class Head>
  static ParseOutcome parse_fields(const Input& in, const char* at, bool whole,
                                   uint32_t& line_start, Head& head) {
    const char* const end = in.end;
    size_t room = std::min(head.fields.room(), in.limits.max_fields);
    HeaderField* field = head.fields.begin();
    HeaderField* last = field + room;
    FieldIndex index;
    HeaderField surplus;
    size_t surplus_lines = 0;  // and the one that is being read, which may be none
    for (;;) {
      if (field == last) [[unlikely]] {
        if (room < in.limits.max_fields) {
          head.fields.grow();
          field = head.fields.begin() + room;
          room = std::min(head.fields.room(), in.limits.max_fields);
          last = head.fields.begin() + room;
        } else {
          ++surplus_lines;
          field = &surplus;
          last = field + 1;
        }
      }
      LineShape shape;
      if (Scan::plain_line(at, end, shape)) {
        at = take_plain_line(at, shape, *field);
      } else {
        const char* next = at;
        CloseReason refusal = CloseReason::None;
        const LineStep step = read_field_line<Scan>(at, end, *field, next, refusal);
        if (step == LineStep::Empty) {
          at = next;
          break;
        }
        if (step != LineStep::Line) {
          line_start = static_cast<uint32_t>(at - in.begin);
          return step == LineStep::Partial ? ParseOutcome{} : refuse(refusal, line_start);
        }
        at = next;
      }
      field->id = find_header_id(field->name);
      field->hop_by_hop = is_hop_by_hop(field->id);
      index.add(field->id);
      ++field;
    }
    if (surplus_lines > 1) return refuse(CloseReason::TooManyHeaders);
    head.fields.set_size(surplus_lines > 0 ? room
                                           : static_cast<size_t>(field - head.fields.begin()));
    if (whole) {
      const CloseReason refusal = apply_rules(index, head);
      if (refusal != CloseReason::None) return refuse(refusal);
    }
    return {ParseStatus::Complete, static_cast<size_t>(at - in.begin), CloseReason::None};
  }
};

}  // namespace berth::http
