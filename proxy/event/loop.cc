#include "proxy/event/loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <stdexcept>

namespace berth::event {

namespace {

EventBase make_base() {
  struct event_config* config = event_config_new();
  if (config == nullptr) throw std::runtime_error("libevent: out of memory");
  // Each loop belongs to one thread and is woken by its own eventfd: no locks inside libevent.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  EventBase base(event_base_new_with_config(config));
  event_config_free(config);
  if (!base) throw std::runtime_error("libevent: no epoll on this system");
  return base;
}

TimePoint read_monotonic() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

}  // namespace

Loop::Loop()
    : base_(make_base()),
      timers_(read_monotonic()),
      runtime_{time_, timers_, turn_},
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wake_fd_) throw std::runtime_error("eventfd: out of file descriptors");
  event_assign(&wake_event_, base_.get(), wake_fd_.get(), EV_READ | EV_PERSIST | EV_ET, on_wake_up,
               this);
  event_assign(&due_event_, base_.get(), -1, 0, on_due, this);
  event_add(&wake_event_, nullptr);
  read_clock();
  in_turn_ = false;
}

Loop::~Loop() {
  turn_.run();
  event_del(&wake_event_);
  event_del(&due_event_);
}

void Loop::read_clock() {
  const TimePoint now = read_monotonic();
  const auto wall = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  time_.set_now(now);
  time_.set_wall_offset_micros(wall.count() - now.time_since_epoch().count() / 1000);
  turn_began_ = now;
  in_turn_ = true;
}

void Loop::run() {
  while (!stop_.load(std::memory_order_acquire)) {
    schedule_wake_up();
    const bool wait = !turn_.has_yielded();
    turn_.begin();
    event_base_loop(base_.get(), wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
    end_turn();
  }
}

void Loop::end_turn() {
  begin_turn();
  timers_.advance(time_.now());
  turn_.run();
  in_turn_ = false;
  if (observer_ != nullptr) {
    observer_->on_turn(read_monotonic() - turn_began_);
  }
}

// One libevent timer wakes the loop for the whole timer queue. It is moved only when something is
// due earlier than it, or when it has fired; timers that are pushed into the future cost nothing.
void Loop::schedule_wake_up() {
  const bool pending = event_pending(&due_event_, EV_TIMEOUT, nullptr) != 0;
  const TimePoint next = timers_.next_deadline();
  if (next == TimePoint::max() || (pending && due_at_ <= next)) return;
  const Duration wait = std::max(next - time_.now(), Duration(0));
  const auto micros = std::chrono::ceil<std::chrono::microseconds>(wait).count();
  const timeval after{.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
  event_add(&due_event_, &after);
  due_at_ = next;
}

void Loop::stop() {
  stop_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
}

void Loop::post(std::unique_ptr<Message> message) {
  if (!messages_.push(std::move(message))) return;
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
}

// Edge-triggered: each write to the eventfd is an event of its own, so the counter need not be
// read.
void Loop::on_wake_up(evutil_socket_t, short, void* self) {
  Loop& loop = *static_cast<Loop*>(self);
  loop.begin_turn();
  loop.messages_.deliver_all();
}

}  // namespace berth::event
