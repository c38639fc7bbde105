// Learns when a server that announces nothing closes its idle connections, from watching it do so.
//
// One close proves little: a server that restarts closes connections of every age. Two in a row at
// about the same age are a timeout. What was learned is forgotten after a while, so that a server
// whose setting was raised gets its time back.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "proxy/base/time.h"

namespace berth::upstream {

// Of one server, shared by all workers. Thread: any; a lost update between two workers costs one
// observation.
class KeepaliveLearner {
 public:
  static constexpr Duration kMemory = std::chrono::minutes(10);

  // The server closed a connection that had been idle for `age`.
  void observe(Duration age, TimePoint now);
  // The idle age at which it closes; none if that is not known (any more).
  std::optional<Duration> closes_after(TimePoint now) const;

  // True if closes of idle connections come so thick, and at such different ages, that the server
  // must be going down: then its other idle connections are about to be closed too.
  bool burst(Duration age, TimePoint now);

 private:
  static constexpr Duration kBurstWindow = std::chrono::milliseconds(100);
  static constexpr uint32_t kBurstSize = 3;

  std::atomic<int64_t> last_age_{0};
  std::atomic<int64_t> learned_{0};  // ns; 0: nothing
  std::atomic<int64_t> learned_at_{0};
  std::atomic<int64_t> burst_began_{INT64_MIN / 2};
  std::atomic<int64_t> burst_age_{0};  // of its first close
  std::atomic<uint32_t> burst_count_{0};
};

}  // namespace berth::upstream
