// Signals as events of a loop.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <csignal>
#include <deque>
#include <initializer_list>

#include "proxy/event/loop.h"

namespace berth::event {

class SignalHandler {
 public:
  virtual void on_signal(int number) = 0;

 protected:
  ~SignalHandler() = default;
};

// At most one per process (libevent's signal handling is global). Thread: the loop's.
class Signals {
 public:
  Signals(Loop& loop, SignalHandler& handler, std::initializer_list<int> numbers);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

 private:
  static void on_event(evutil_socket_t number, short, void* self);

  Loop& loop_;
  SignalHandler& handler_;
  std::deque<struct event> events_;  // libevent keeps pointers to them
};

// In a thread that is not the main thread: it takes no signal from now on.
void leave_signals_to_main_thread();

// While it lives, threads that are started inherit a mask that leaves these signals to the starting
// thread.
class BlockedSignals {
 public:
  BlockedSignals(std::initializer_list<int> numbers);
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals();

 private:
  sigset_t before_;
};

}  // namespace berth::event
