#include "proxy/http/http2_meter.h"

#include <algorithm>
#include <cstring>

namespace berth::http {

namespace {

constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kAck = 0x1;
constexpr uint8_t kEndHeaders = 0x4;

// We announce no larger ones (RFC 9113 section 4.2).
constexpr size_t kMaxFrame = 16 * 1024;
// A client fills its frames; a block in crumbs is somebody's work.
constexpr uint32_t kSpareContinuations = 8;

}  // namespace

Http2Meter::Http2Meter(size_t max_head)
    : max_block_(2 * max_head + kMaxFrame),
      max_continuations_(static_cast<uint32_t>(max_block_ / kMaxFrame) + kSpareContinuations) {}

CloseReason Http2Meter::take(std::string_view bytes, TimePoint now) {
  const size_t preface = std::min<size_t>(preface_left_, bytes.size());
  preface_left_ -= static_cast<uint32_t>(preface);
  bytes.remove_prefix(preface);
  while (!bytes.empty()) {
    if (header_size_ < kHeaderSize) {
      const size_t taken = std::min(kHeaderSize - header_size_, bytes.size());
      std::memcpy(header_ + header_size_, bytes.data(), taken);
      header_size_ = static_cast<uint8_t>(header_size_ + taken);
      bytes.remove_prefix(taken);
      if (header_size_ < kHeaderSize) return CloseReason::None;
      const CloseReason flood = begin_frame(now);
      if (flood != CloseReason::None) return flood;
    }
    const size_t taken = std::min<size_t>(payload_left_, bytes.size());
    payload_left_ -= static_cast<uint32_t>(taken);
    bytes.remove_prefix(taken);
    if (payload_left_ == 0) end_frame();
  }
  return CloseReason::None;
}

void Http2Meter::end_frame() {
  header_size_ = 0;
  if (block_ends_) in_header_block_ = block_ends_ = false;
}

CloseReason Http2Meter::take_provoked_reset(TimePoint now) {
  return resets_.take(1, now) ? CloseReason::None : CloseReason::ResetFlood;
}

CloseReason Http2Meter::idle_frame(uint32_t cost, TimePoint now) {
  return idle_frames_.take(cost, now) ? CloseReason::None : CloseReason::FrameFlood;
}

// The frame's header is complete.
CloseReason Http2Meter::begin_frame(TimePoint now) {
  payload_left_ = uint32_t{header_[0]} << 16 | uint32_t{header_[1]} << 8 | uint32_t{header_[2]};
  const uint8_t flags = header_[4];
  const uint32_t stream = uint32_t{header_[5] & 0x7fU} << 24 | uint32_t{header_[6]} << 16 |
                          uint32_t{header_[7]} << 8 | uint32_t{header_[8]};
  switch (static_cast<Http2Frame>(header_[3])) {
    case Http2Frame::Data:
      content_ += payload_left_;
      if (payload_left_ > 0 || (flags & kEndStream) != 0) return CloseReason::None;
      return idle_frame(1, now);
    case Http2Frame::Headers:
      return begin_headers(stream, flags);
    case Http2Frame::Continuation:
      block_ends_ = (flags & kEndHeaders) != 0;
      if (++continuations_ > max_continuations_) return CloseReason::HeaderFlood;
      return begin_header_block();
    case Http2Frame::RstStream:
      return take_provoked_reset(now);
    case Http2Frame::Settings:
      return idle_frame((flags & kAck) != 0 ? 1 : kSettingsCost, now);
    case Http2Frame::WindowUpdate:
      if (window_updates_due_ == 0) return idle_frame(1, now);
      --window_updates_due_;
      return CloseReason::None;
    case Http2Frame::Priority:
      if (stream == 0) return CloseReason::Http2Error;  // RFC 9113 section 6.3
      break;
    case Http2Frame::Goaway:
    case Http2Frame::Ping:
    case Http2Frame::PushPromise:
      break;
  }
  return idle_frame(1, now);  // PING, PRIORITY, and whatever is unknown
}

CloseReason Http2Meter::begin_headers(uint32_t stream, uint8_t flags) {
  block_ = 0;
  continuations_ = 0;
  block_ends_ = (flags & kEndHeaders) != 0;
  if (stream > newest_stream_) {
    if (stream > newest_stream_ + 2) {
      skipped_from_ = newest_stream_ + 1;
      skipped_to_ = stream;
    }
    newest_stream_ = stream;
  } else if (stream >= skipped_from_ && stream < skipped_to_) {
    return CloseReason::Http2Error;  // RFC 9113 section 5.1.1: streams are opened in order
  }
  return begin_header_block();
}

CloseReason Http2Meter::begin_header_block() {
  in_header_block_ = true;
  block_ += payload_left_;
  return block_ > max_block_ ? CloseReason::HeaderFlood : CloseReason::None;
}

}  // namespace berth::http
