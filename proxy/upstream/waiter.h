// One request's wait for a connection: in the queue, or while its connection is being made.
#pragma once

#include <string>

#include "proxy/base/close_reason.h"
#include "proxy/config/config.h"
#include "proxy/event/timer_queue.h"
#include "proxy/stats/stats.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/waiter_queue.h"

namespace berth::upstream {

class Cluster;
class UpstreamConnection;

// Embedded in the Exchange; its destructor gives the place up: a cancelled waiter never receives a
// connection. Thread: its worker's.
class Waiter : private event::TimerHandler {
 public:
  Waiter() : timer_(*this) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  bool waiting() const { return ticket_ != nullptr || connecting_ != nullptr; }

 protected:
  ~Waiter() { give_up(); }

  // Called at the end of a turn, never from within Cluster::acquire().
  virtual void on_lease(Lease lease, stats::AcquireSource source) = 0;
  // `server`: the one that could not be reached; nullptr when none was asked (queue full or timed
  // out).
  virtual void on_no_lease(CloseReason reason, const SharedServer* server) = 0;
  // What a server that wants to know is told about the client, before anything else.
  virtual std::string proxy_header(config::ProxyProtocol version) const = 0;

  // Leaves the queue; a connection that is being made goes to the pool when it stands.
  void give_up();
  // In the queue, since it was last served.
  bool has_waited() const { return deadline_ != TimePoint{}; }
  // What it has got counts as served: if it waits once more, it is at the end, and for
  // queue_timeout.
  void wait_anew() {
    arrival_ = 0;
    deadline_ = {};
  }

 private:
  friend class Cluster;
  friend class ServerPool;
  friend class UpstreamConnection;
  friend class WorkerPools;
  void on_timer(event::Timer& timer) override;

  Cluster* cluster_ = nullptr;  // set while a ticket is out
  Ticket* ticket_ = nullptr;
  UpstreamConnection* connecting_ = nullptr;
  stats::AcquireSource source_ = stats::AcquireSource::New;
  uint64_t arrival_ = 0;  // its place in the queue, kept until it is served; 0: none yet
  TimePoint since_{};
  TimePoint deadline_{};  // of all its waits until it is served
  event::Timer timer_;    // queue_timeout
};

}  // namespace berth::upstream
