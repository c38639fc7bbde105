// The time as everything above event/ sees it: read once per turn of the loop, the same for all its
// callbacks.
#pragma once

#include <cstdint>

#include "proxy/base/time.h"

namespace berth::event {

// Thread: its worker's. Written by the loop (or the simulator) only.
class TimeSource {
 public:
  TimePoint now() const { return now_; }
  // Wall clock in microseconds since 1970, for logs only.
  int64_t wall_micros() const {
    return wall_offset_micros_ + now_.time_since_epoch().count() / 1000;
  }

  void set_now(TimePoint now) { now_ = now; }
  void set_wall_offset_micros(int64_t offset) { wall_offset_micros_ = offset; }

 private:
  TimePoint now_{};
  int64_t wall_offset_micros_ = 0;
};

}  // namespace berth::event
