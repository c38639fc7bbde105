// What a worker offers to everything that lives in it. The simulator offers the same with fake
// time.
#pragma once

#include "proxy/event/mailbox.h"
#include "proxy/event/time_source.h"
#include "proxy/event/timer_queue.h"
#include "proxy/event/turn_queue.h"

namespace berth::event {

struct Runtime {
  TimeSource& time;
  TimerQueue& timers;
  TurnQueue& turn;

  TimePoint now() const { return time.now(); }
  void arm(Timer& timer, Duration after) { timers.arm(timer, time.now() + after); }
  void cancel(Timer& timer) { timers.cancel(timer); }
};

}  // namespace berth::event
