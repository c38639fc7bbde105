// Content for HTTP/2 streams that are over. Some may be on its way when a stream ends early, at
// most what its window allowed; a client that sends more is not heard for ever.
#pragma once

#include <algorithm>
#include <cstdint>

namespace berth::http {

// One for each connection. It knows what came, and what of that was for a living stream.
class Http2DeadContent {
 public:
  // `window`: of a stream. `most`: that may be on its way at the same time.
  Http2DeadContent(uint64_t window, uint64_t most)
      : window_(window), most_(std::max(window, most)), room_(window) {}

  // A DATA frame of this size has begun, for a stream that is open.
  void live(uint64_t size) { live_ += size; }
  // A stream has ended before its request.
  void stream_ended_early() { room_ = std::min(room_ + window_, most_); }
  // `all`: the size of all DATA frames so far. False: more of it was for streams that are over than
  // can have been on its way.
  bool within(uint64_t all) {
    const uint64_t dead = all - live_ - seen_;
    seen_ += dead;
    const bool fits = dead <= room_;
    room_ -= std::min(room_, dead);
    return fits;
  }

 private:
  uint64_t window_;
  uint64_t most_;
  uint64_t room_;
  uint64_t live_ = 0;
  uint64_t seen_ = 0;  // that was for streams that are over
};

}  // namespace berth::http
