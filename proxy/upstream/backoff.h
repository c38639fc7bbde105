// A server that cannot be reached: when it is tried again, and by whom.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "proxy/base/close_reason.h"
#include "proxy/base/time.h"
#include "proxy/upstream/server_state.h"

namespace berth::upstream {

class Backoff;

// The right to make the one connection that tells whether a server is back. Ends with its
// destructor.
class Trial {
 public:
  Trial() = default;
  Trial(Trial&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  Trial& operator=(Trial&& other) noexcept {
    if (this != &other) {
      end();
      of_ = std::exchange(other.of_, nullptr);
    }
    return *this;
  }
  ~Trial() { end(); }

  explicit operator bool() const { return of_ != nullptr; }
  inline void end();

 private:
  friend class Backoff;
  explicit Trial(Backoff* of) : of_(of) {}
  Backoff* of_ = nullptr;  // outlives the trial
};

// Of one server, shared by all workers. A server is away from the first connection that cannot be
// made until one can; meanwhile it is tried by one connection at a time over all workers, the first
// time after kFirst, then after twice as long each time up to kMost. Whoever ends a trial publishes
// that and then looks at the queue (waiter_queue.h). Thread: any.
class Backoff {
 public:
  // A connection refused costs next to nothing, so the first ones come soon; half a second is how
  // late a server that is back may be noticed.
  static constexpr Duration kFirst = std::chrono::milliseconds(25);
  static constexpr Duration kMost = std::chrono::milliseconds(500);

  // `states`: where everybody can see that it is away; outlives this.
  explicit Backoff(ServerStates& states) : states_(states) {}

  bool away() const { return states_.has(Availability::BackingOff); }
  // While it is away: when the next trial may begin, and why the last one failed.
  TimePoint due() const { return TimePoint(Duration(due_.load(std::memory_order_seq_cst))); }
  CloseReason reason() const { return reason_.load(std::memory_order_relaxed); }

  // None if it is too early, or if somebody else tries it.
  Trial begin_trial(TimePoint now);
  // A connection could not be made. True if the server counts as away from now on. (Connections
  // that were under way together fail together, which is one failure: only a trial makes the next
  // pause longer.)
  bool failed(ConnectFailure reason, TimePoint now, Trial trial);
  // One could. True if it was away.
  bool succeeded();

 private:
  friend class Trial;

  ServerStates& states_;
  std::atomic<int64_t> due_{0};
  std::atomic<uint32_t> failures_{0};  // of trials
  std::atomic<CloseReason> reason_{CloseReason::None};
  std::atomic<bool> trying_{false};
};

inline void Trial::end() {
  if (of_ != nullptr) std::exchange(of_, nullptr)->trying_.store(false, std::memory_order_seq_cst);
}

}  // namespace berth::upstream
