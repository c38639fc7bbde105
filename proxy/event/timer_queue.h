// Timers of one worker: a hierarchical wheel of 1 ms ticks. Arming, moving and cancelling cost
// O(1), no allocation and no system call.
//
// Nearly every timer is a timeout that is pushed into the future again before it fires. Such a push
// only stores the new deadline: the timer stays where it is in the wheel and is put further out
// when the old place comes up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/base/intrusive_list.h"
#include "proxy/base/time.h"

namespace berth::event {

class Timer;

class TimerHandler {
 public:
  // Called once, at or up to 1 ms after the deadline. The timer is disarmed and may be armed again
  // or destroyed.
  virtual void on_timer(Timer& timer) = 0;

 protected:
  ~TimerHandler() = default;
};

struct TimerTag {};

// Embedded in its handler. Destroying an armed timer cancels it.
class Timer : public ListHook<TimerTag> {
 public:
  explicit Timer(TimerHandler& handler) : handler_(handler) {}

  bool armed() const { return deadline_ != kUnarmed; }
  TimePoint deadline() const { return deadline_; }

 private:
  friend class TimerQueue;
  static constexpr TimePoint kUnarmed = TimePoint::max();

  TimerHandler& handler_;
  TimePoint deadline_ = kUnarmed;
  uint64_t tick_ = 0;  // where it is in the wheel; never later than the deadline's tick
};

// Thread: its worker's.
class TimerQueue {
 public:
  explicit TimerQueue(TimePoint start);
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // Arms the timer or moves it.
  void arm(Timer& timer, TimePoint deadline);
  // If the timer is armed, its deadline moves by so much: it runs against another limit, from when
  // it began.
  void shift(Timer& timer, Duration by) {
    if (timer.armed() && by != Duration(0)) arm(timer, timer.deadline() + by);
  }
  void cancel(Timer& timer);

  // Fires everything due at `now`, in the order of deadlines to within a tick (one that had passed
  // when its timer was armed counts as that moment).
  void advance(TimePoint now);

  // When advance() is to be called next, at the latest; TimePoint::max() if nothing is armed. May
  // be early: the wheel also turns to sort timers into finer slots.
  TimePoint next_deadline() const;

 private:
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 8;
  static constexpr uint64_t kSlots = 1U << kSlotBits;

  struct Level {
    std::array<IntrusiveList<Timer, TimerTag>, kSlots> slots;
    // Bit set: the slot may hold timers (cleared when it is found empty).
    mutable std::array<uint64_t, kSlots / 64> occupied{};
  };

  static uint64_t tick_of(TimePoint at);
  void insert(Timer& timer);
  void cascade(int level);
  void fire_slot();
  // The nearest tick at which a timer is due or a slot is to be sorted into finer ones; UINT64_MAX
  // if nothing is armed.
  uint64_t next_tick() const;
  // The nearest occupied slot of a level at or after `from`, in slots counted from it; kSlots if
  // there is none.
  uint64_t distance_to_occupied(int level, uint64_t from) const;

  uint64_t tick_;  // every tick before this one has fired
  std::array<Level, kLevels> levels_;
};

}  // namespace berth::event
