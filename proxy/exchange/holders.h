// Requests that hold a connection while nothing moves because of their client. When others wait,
// the one that has rested for longest is ended.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/base/intrusive_list.h"
#include "proxy/base/time.h"
#include "proxy/event/timer_queue.h"
#include "proxy/net/worker_env.h"

namespace berth::net {
class Address;
}
namespace berth::upstream {
class ServerPool;
class SharedServer;
}  // namespace berth::upstream

namespace berth::exchange {

// Measures how long a transfer has rested. A single byte does not end a rest: it shortens it by the
// time that the byte takes at kRate. So a transfer slower than kRate rests most of the time.
class Rest {
 public:
  static constexpr uint64_t kRate = 1024;  // bytes a second

  // It is the client's turn from now on. `total`: bytes that have been moved so far.
  void begin(TimePoint now, uint64_t total) {
    since_ = now;
    total_ = total;
  }
  // What has been moved by now. Returns how long it has rested.
  Duration look(TimePoint now, uint64_t total);

 private:
  TimePoint since_{};
  uint64_t total_ = 0;
};

struct HolderTag {};

// One that may come to rest because of its client. Destroying it takes it out of the list.
class Holder : public ListHook<HolderTag> {
 public:
  // The pool whose connection it holds; nullptr: it holds none any more, and leaves the list.
  virtual upstream::ServerPool* held_pool() const = 0;
  // Bytes that its client has moved so far; none: it is not the client's turn.
  virtual std::optional<uint64_t> moved() const = 0;
  // Gives the connection up, and the client its answer. `rested`: for so long.
  virtual void end_rest(Duration rested) = 0;

  Rest rest;
  bool resting = false;

 protected:
  ~Holder() = default;
};

// A worker's. Looks at each of them several times a second, as long as there are any. Of each
// upstream at most one is ended at a time, over all workers: one that comes free may be enough.
// Thread: its worker's.
class Holders final : private event::TimerHandler {
 public:
  static constexpr Duration kLook = std::chrono::milliseconds(250);

  explicit Holders(net::WorkerEnv& env) : env_(env), timer_(*this) {}

  // From now on it is looked at.
  void watch(Holder& holder);

 private:
  // A server's longest.
  struct Longest {
    std::shared_ptr<upstream::SharedServer> server;
    Holder* holder = nullptr;  // none: any more
    Duration rested{};
  };

  void on_timer(event::Timer& timer) override;
  Duration look_at(Holder& holder, TimePoint now) const;
  Longest& of(const std::shared_ptr<upstream::SharedServer>& server);
  void judge(const Longest& longest, TimePoint now) const;

  net::WorkerEnv& env_;
  event::Timer timer_;
  IntrusiveList<Holder, HolderTag> list_;
  std::vector<Longest> longest_;
};

}  // namespace berth::exchange
