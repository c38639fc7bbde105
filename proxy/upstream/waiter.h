// One request's wait for a connection: in the queue, or while its connection is being made.
#pragma once

#include <cstdint>
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

// Resting: waits for nothing. Queued: its ticket is in the queue, or on its way home with a grant.
// Connecting: its connection is being made.
enum class WaiterState : uint8_t { Resting, Queued, Connecting };

// Embedded in the Exchange; its destructor gives the place up: a cancelled waiter never receives a
// connection. Thread: its worker's.
class Waiter : private event::TimerHandler {
 public:
  Waiter() : timer_(*this) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // --- For the cluster and its pools.

  // Its place in the order of arrival, which it keeps until it is served; 0: it has none yet.
  uint64_t arrival() const { return arrival_; }
  void set_arrival(uint64_t arrival) { arrival_ = arrival; }
  // Where its connection comes from, if it gets one.
  stats::AcquireSource source() const { return source_; }
  void set_source(stats::AcquireSource source) { source_ = source; }

  // Resting -> Queued, until queue_timeout is over. The cluster's queue owns the ticket.
  void enter_queue(Cluster& cluster, Ticket& ticket);
  // Queued -> Resting. Returns how long this wait was.
  Duration leave_queue();
  Cluster& cluster() { return *cluster_; }
  Ticket& ticket() { return *ticket_; }
  // Resting -> Connecting.
  void expect(UpstreamConnection& connection);

  // Ends the wait with a connection, or without one. `server`: as in on_no_lease().
  void serve(UpstreamConnection& connection);
  void fail(Refusal reason, const SharedServer* server);

  // What a server that wants to know is told about the client, before anything else.
  virtual std::string proxy_header(config::ProxyProtocol version) const = 0;

 protected:
  ~Waiter() { give_up(); }

  // Called at the end of a turn, never from within Cluster::acquire().
  virtual void on_lease(Lease lease, stats::AcquireSource source) = 0;
  // `server`: the one that could not be reached; nullptr when none was asked (queue full or timed
  // out).
  virtual void on_no_lease(Refusal reason, const SharedServer* server) = 0;

  // Leaves the queue; a connection that is being made goes to the pool when it is established.
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
  void on_timer(event::Timer& timer) override;
  void set_state(WaiterState next);

  Cluster* cluster_ = nullptr;                // Queued
  Ticket* ticket_ = nullptr;                  // Queued
  UpstreamConnection* connecting_ = nullptr;  // Connecting
  WaiterState state_ = WaiterState::Resting;
  stats::AcquireSource source_ = stats::AcquireSource::New;
  uint64_t arrival_ = 0;
  TimePoint since_{};
  TimePoint deadline_{};  // of all its waits until it is served
  event::Timer timer_;    // queue_timeout
};

}  // namespace berth::upstream
