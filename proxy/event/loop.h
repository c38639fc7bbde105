// A worker's event loop on libevent: one turn is one epoll_wait, its callbacks, the due timers, the
// deferred work.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <atomic>
#include <memory>

#include "proxy/base/unique_fd.h"
#include "proxy/event/mailbox.h"
#include "proxy/event/message_queue.h"
#include "proxy/event/runtime.h"

namespace berth::event {

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};
using EventBase = std::unique_ptr<event_base, EventBaseDeleter>;

// Told how long each turn took, for the loop-lag metric.
class TurnObserver {
 public:
  virtual void on_turn(Duration took) = 0;

 protected:
  ~TurnObserver() = default;
};

// Thread: the one that calls run(), but for post() and stop().
class Loop final : public Mailbox {
 public:
  // Throws std::runtime_error when the kernel gives no epoll or eventfd.
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  Runtime& runtime() { return runtime_; }
  event_base* base() { return base_.get(); }
  void observe_turns(TurnObserver* observer) { observer_ = observer; }

  // Until stop().
  void run();
  // Thread: any.
  void stop();
  void post(std::unique_ptr<Message> message) override;

  // Every libevent callback calls this first: the clock is read once per turn, by whoever comes
  // first.
  void begin_turn() {
    if (!in_turn_) read_clock();
  }

 private:
  static void on_wake_up(evutil_socket_t, short, void* self);
  static void on_due(evutil_socket_t, short, void*) {}
  void read_clock();
  void end_turn();
  void schedule_wake_up();

  EventBase base_;
  TimeSource time_;
  TimerQueue timers_;
  TurnQueue turn_;
  Runtime runtime_;
  MessageQueue messages_;
  UniqueFd wake_fd_;
  struct event wake_event_;
  struct event due_event_;
  TimePoint due_at_ = TimePoint::max();  // what due_event_ is set to
  TimePoint turn_began_{};
  bool in_turn_ = false;
  std::atomic<bool> stop_{false};
  TurnObserver* observer_ = nullptr;
};

}  // namespace berth::event
