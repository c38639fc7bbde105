// Whether the other side of a transfer keeps up.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/base/time.h"

namespace berth::client {

// It may pause for `patience`, and where a rate is asked for, it has to move so many bytes a second
// on average over such a time. Both are one deadline: a byte moves it on by its share of a second,
// never further than `patience` from now. So a byte now and then does not keep a transfer alive,
// and a fast one may pause.
class Pace {
 public:
  struct Terms {
    Duration patience{};
    uint64_t rate = 0;  // bytes a second; 0: none is asked for
  };

  // A transfer begins, or goes on after a time that was not the peer's and for which it is forgiven
  // what was.
  void start(TimePoint now, Duration patience) {
    deadline_ = now + patience;
    left_ = Duration::max();
    behind_ = false;
  }
  // Nothing waits for the peer any more: what is left of its time is kept for resume().
  void pause(TimePoint now) { left_ = deadline_ - now; }
  // It is the peer's turn again, or for the first time.
  void resume(TimePoint now, Duration patience) {
    deadline_ = now + std::min(left_, patience);
    behind_ = left_ < patience;
  }
  // What it may pause for has changed by so much.
  void shift(Duration by) { deadline_ += by; }
  void moved(TimePoint now, uint64_t bytes, const Terms& terms) {
    if (bytes == 0) return;
    const TimePoint latest = now + terms.patience;
    deadline_ = std::min(deadline_ + earned(bytes, terms), latest);
    behind_ = deadline_ < latest;
  }

  TimePoint deadline() const { return deadline_; }
  // What the deadline means: slower than the rate, or silent.
  bool behind() const { return behind_; }

 private:
  static Duration earned(uint64_t bytes, const Terms& terms) {
    if (terms.rate == 0) return terms.patience;
    const double seconds = static_cast<double>(bytes) / static_cast<double>(terms.rate);
    if (seconds >= to_seconds(terms.patience)) return terms.patience;
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }

  TimePoint deadline_{};
  Duration left_ = Duration::max();  // at the last pause()
  bool behind_ = false;
};

}  // namespace berth::client
