#include "proxy/event/signals.h"

namespace berth::event {

Signals::Signals(Loop& loop, SignalHandler& handler, std::initializer_list<int> numbers)
    : loop_(loop), handler_(handler) {
  for (const int number : numbers) {
    struct event& watched = events_.emplace_back();
    event_assign(&watched, loop.base(), number, EV_SIGNAL | EV_PERSIST, on_event, this);
    event_add(&watched, nullptr);
  }
}

Signals::~Signals() {
  for (struct event& watched : events_) event_del(&watched);
}

void Signals::on_event(evutil_socket_t number, short, void* self) {
  Signals& signals = *static_cast<Signals*>(self);
  signals.loop_.begin_turn();
  signals.handler_.on_signal(number);
}

BlockedSignals::BlockedSignals(std::initializer_list<int> numbers) {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : numbers) sigaddset(&blocked, number);
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

BlockedSignals::~BlockedSignals() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void leave_signals_to_main_thread() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace berth::event
