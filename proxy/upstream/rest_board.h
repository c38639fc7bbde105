// Which worker has the request that has held a connection for longest without movement: when others
// wait, that one is ended first, whichever worker it belongs to.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "proxy/base/time.h"

namespace berth::upstream {

// Of one server. Thread: any; each worker writes its own line, and only while it has such a
// request.
class RestBoard {
 public:
  // What a worker has said counts for so long: one that is stuck does not keep the others from it.
  static constexpr Duration kCounts = std::chrono::seconds(1);

  explicit RestBoard(uint32_t workers) : lines_(workers) {}

  // This worker's longest has rested since then.
  void post(uint32_t worker, TimePoint since, TimePoint now) {
    lines_[worker].since.store(since.time_since_epoch().count(), std::memory_order_relaxed);
    lines_[worker].at.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  // It has none any more.
  void clear(uint32_t worker) { lines_[worker].since.store(kNone, std::memory_order_relaxed); }

  // Whether one of another worker's has rested for longer.
  bool longer_elsewhere(uint32_t worker, TimePoint since, TimePoint now) const {
    for (uint32_t other = 0; other < lines_.size(); ++other) {
      const Line& line = lines_[other];
      const Duration age = now - TimePoint(Duration(line.at.load(std::memory_order_relaxed)));
      if (other != worker && age < kCounts &&
          line.since.load(std::memory_order_relaxed) < since.time_since_epoch().count()) {
        return true;
      }
    }
    return false;
  }

 private:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  struct Line {
    std::atomic<int64_t> since{kNone};
    std::atomic<int64_t> at{0};
  };
  std::vector<Line> lines_;
};

// One at a time, with a pause behind it. Thread: any.
class Turnstile {
 public:
  // True for one caller, and then for none until `pause` is over.
  bool pass(TimePoint now, Duration pause) {
    int64_t next = next_.load(std::memory_order_relaxed);
    const int64_t current = now.time_since_epoch().count();
    return current >= next && next_.compare_exchange_strong(next, current + pause.count());
  }

 private:
  std::atomic<int64_t> next_{std::numeric_limits<int64_t>::min()};
};

}  // namespace berth::upstream
