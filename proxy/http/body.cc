#include "proxy/http/body.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "proxy/base/check.h"
#include "proxy/http/field_line.h"
#include "proxy/http/scan.h"
#include "proxy/http/trailer_rules.h"

namespace berth::http {

namespace {

constexpr uint16_t kMaxSizeLine = 256;
constexpr uint16_t kMaxSizeDigits = 16;

BodyFraming framing_of(const HeadSummary& summary, BodyKind otherwise) {
  if (summary.chunked) return {BodyKind::Chunked, 0};
  if (!summary.has_length()) return {otherwise, 0};
  if (summary.content_length == 0) return {BodyKind::None, 0};
  return {BodyKind::Length, summary.content_length};
}

}  // namespace

BodyFraming request_framing(const RequestHead& head) {
  return framing_of(head.summary, BodyKind::None);
}

BodyFraming response_framing(const ResponseHead& head, Method request_method) {
  const uint16_t status = head.status;
  if (request_method == Method::Head || status < 200 || status == 204 || status == 304) return {};
  return framing_of(head.summary, BodyKind::UntilClose);
}

BodyDecoder::BodyDecoder(BodyFraming framing)
    : kind_(framing.kind),
      complete_(framing.kind == BodyKind::None ||
                (framing.kind == BodyKind::Length && framing.length == 0)),
      remaining_(framing.kind == BodyKind::Length ? framing.length : 0) {}

Result<BodyDecoder::Step, CloseReason> BodyDecoder::decode(char* data, size_t size) {
  if (complete_) return Step{0, 0, true};
  switch (kind_) {
    case BodyKind::None:
      return Step{0, 0, true};
    case BodyKind::Length: {
      const auto taken = static_cast<size_t>(std::min<uint64_t>(size, remaining_));
      skip(taken);
      return Step{taken, taken, complete_};
    }
    case BodyKind::Chunked:
      return decode_chunked(data, size);
    case BodyKind::UntilClose:
      return Step{size, size, false};
  }
  return Step{};
}

void BodyDecoder::skip(uint64_t n) {
  BERTH_DCHECK(kind_ == BodyKind::Length && n <= remaining_);
  remaining_ -= n;
  complete_ = remaining_ == 0;
}

bool BodyDecoder::finish() {
  if (kind_ == BodyKind::UntilClose) complete_ = true;
  return complete_;
}

Result<BodyDecoder::Step, CloseReason> BodyDecoder::decode_chunked(char* data, size_t size) {
  const char* at = data;
  const char* const end = data + size;
  char* out = data;
  while (at != end && !complete_) {
    switch (chunk_state_) {
      case ChunkState::Size:
      case ChunkState::Extension:
      case ChunkState::SizeLf:
        if (!take_size_line(at, end)) return Failure{CloseReason::BadChunk};
        break;
      case ChunkState::Data: {
        const auto taken =
            static_cast<size_t>(std::min<uint64_t>(static_cast<size_t>(end - at), remaining_));
        std::memmove(out, at, taken);
        out += taken;
        at += taken;
        remaining_ -= taken;
        if (remaining_ == 0) chunk_state_ = ChunkState::DataCr;
        break;
      }
      case ChunkState::DataCr:
        if (*at++ != '\r') return Failure{CloseReason::BadChunk};
        chunk_state_ = ChunkState::DataLf;
        break;
      case ChunkState::DataLf:
        if (*at++ != '\n') return Failure{CloseReason::BadChunk};
        chunk_state_ = ChunkState::Size;
        line_length_ = 0;
        break;
      case ChunkState::Trailer:
        if (!take_trailer(at, end)) return Failure{CloseReason::BadTrailer};
        break;
    }
  }
  return Step{static_cast<size_t>(at - data), static_cast<size_t>(out - data), complete_};
}

// 1*HEXDIG [ extensions ] CRLF. White space before the first semicolon is refused, which RFC 9112
// section 7.1.1 would have us tolerate: nobody sends it, and parsers differ about it.
bool BodyDecoder::take_size_line(const char*& at, const char* end) {
  for (; at != end && chunk_state_ == ChunkState::Size; ++at) {
    const int digit = hex_value(*at);
    if (digit >= 0) {
      if (line_length_ == kMaxSizeDigits) return false;
      ++line_length_;
      remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
      continue;
    }
    if (line_length_ == 0 || remaining_ > std::numeric_limits<int64_t>::max()) return false;
    if (*at == ';') {
      chunk_state_ = ChunkState::Extension;
      extension_ = ChunkExtension::Begin;
    } else if (*at == '\r') {
      chunk_state_ = ChunkState::SizeLf;
    } else {
      return false;
    }
  }
  for (; at != end && chunk_state_ == ChunkState::Extension; ++at) {
    if (*at == '\r') {
      if (!may_end(extension_)) return false;
      chunk_state_ = ChunkState::SizeLf;
      continue;
    }
    extension_ = next_state(extension_, *at);
    if (extension_ == ChunkExtension::Refused || ++line_length_ >= kMaxSizeLine) return false;
  }
  if (at == end) return true;
  if (*at++ != '\n') return false;
  chunk_state_ = remaining_ == 0 ? ChunkState::Trailer : ChunkState::Data;
  line_length_ = 0;
  return true;
}

bool BodyDecoder::take_trailer(const char*& at, const char* end) {
  if (remaining_ == 0 && end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
    at += 2;
    complete_ = true;
    return true;
  }
  const auto* const line_feed =
      static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
  const auto taken = static_cast<size_t>((line_feed != nullptr ? line_feed + 1 : end) - at);
  remaining_ += taken;
  if (remaining_ > kMaxTrailer) return false;
  trailers_.append(at, taken);
  at += taken;
  return line_feed == nullptr || end_trailer_line();
}

// A line of the trailer section has become complete: it ends the section, stays or is dropped.
bool BodyDecoder::end_trailer_line() {
  HeaderField field;
  const char* next = nullptr;
  CloseReason unused = CloseReason::None;
  const char* const line = trailers_.data() + line_length_;
  switch (read_field_line<DefaultScan>(line, trailers_.data() + trailers_.size(), field, next,
                                       unused)) {
    case LineStep::Line:
      field.id = header_id(field.name);
      if (!may_be_trailer(field)) trailers_.resize(line_length_);
      line_length_ = static_cast<uint16_t>(trailers_.size());
      return true;
    case LineStep::Empty:
      trailers_.resize(line_length_);
      complete_ = true;
      return true;
    case LineStep::Partial:
    case LineStep::Refused:
      return false;
  }
  return false;
}

size_t write_chunk_size(char* out, uint64_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  size_t digits = 1;
  for (uint64_t rest = size >> 4; rest != 0; rest >>= 4) ++digits;
  for (size_t i = digits; i-- > 0; size >>= 4) out[i] = kDigits[size & 0xf];
  out[digits] = '\r';
  out[digits + 1] = '\n';
  return digits + 2;
}

}  // namespace berth::http
