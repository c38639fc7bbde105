// Floods over HTTP/2: frames that cost the server work and move no request forward.
//
// The meter reads the frame headers in what a client sends before anything else does, so its
// bounds hold whatever the library behind it knows of attacks: rapid reset (CVE-2023-44487),
// CONTINUATION floods (CVE-2024-27316), resets that a client provokes (CVE-2025-8671), floods of
// PING, SETTINGS, PRIORITY and empty frames (CVE-2019-9511 to 9518).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/time.h"
#include "proxy/http/token_bucket.h"

namespace berth::http {

// RFC 9113 section 3.4.
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class Http2Frame : uint8_t {
  Data = 0,
  Headers = 1,
  Priority = 2,
  RstStream = 3,
  Settings = 4,
  PushPromise = 5,
  Ping = 6,
  Goaway = 7,
  WindowUpdate = 8,
  Continuation = 9,
};

// One for each connection.
class Http2Meter {
 public:
  // Streams that come to nothing: a browser cancels all that a page has under way, again and again.
  static constexpr uint32_t kResets = 200;
  static constexpr uint32_t kResetsPerSecond = 20;
  // Frames that carry nothing.
  static constexpr uint32_t kIdleFrames = 1000;
  static constexpr uint32_t kIdleFramesPerSecond = 100;
  // Some are dearer: a SETTINGS frame is applied and acknowledged.
  static constexpr uint32_t kSettingsCost = 10;

  // `max_head`: as HeadLimits has it; a header block may take twice that and some more on the wire,
  // since a literal may be longer encoded than it is.
  explicit Http2Meter(size_t max_head);

  // What has come from the client, its preface included. None, or why the connection is to end: a
  // flood, or Http2Error for two breaches of the protocol that nghttp2 lets pass.
  CloseReason take(std::string_view bytes, TimePoint now);
  // We had to reset a stream because of what the client sent on it.
  CloseReason take_provoked_reset(TimePoint now);
  // We have sent a DATA frame, for which the client may say twice that it has taken it: for the
  // stream and for the connection.
  void sent_data() { window_updates_due_ += 2; }

  // A header block has begun and its last byte has not come. Nothing else can come before it has.
  bool in_header_block() const { return in_header_block_; }
  uint64_t content() const { return content_; }

 private:
  static constexpr size_t kHeaderSize = 9;  // of a frame, RFC 9113 section 4.1

  CloseReason begin_frame(TimePoint now);
  CloseReason begin_headers(uint32_t stream, uint8_t flags);
  CloseReason begin_header_block();
  CloseReason idle_frame(uint32_t cost, TimePoint now);
  void end_frame();

  TokenBucket resets_{kResets, kResetsPerSecond};
  TokenBucket idle_frames_{kIdleFrames, kIdleFramesPerSecond};
  size_t max_block_;
  uint32_t max_continuations_;
  uint64_t window_updates_due_ = 0;
  uint64_t content_ = 0;
  size_t block_ = 0;  // bytes of the header block so far
  uint32_t continuations_ = 0;
  uint32_t newest_stream_ = 0;
  uint32_t skipped_from_ = 0;  // the last streams that the client passed over, and so closed
  uint32_t skipped_to_ = 0;
  uint32_t preface_left_ = kHttp2Preface.size();
  uint32_t payload_left_ = 0;
  bool in_header_block_ = false;
  bool block_ends_ = false;  // with this frame
  uint8_t header_size_ = 0;  // how much of the frame's header is here
  uint8_t header_[kHeaderSize] = {};
};

}  // namespace berth::http
