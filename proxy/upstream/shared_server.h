// What all workers know of one upstream and of each of its servers: the bound, the queue, who holds
// idle connections.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/base/hash.h"
#include "proxy/base/time.h"
#include "proxy/net/address.h"
#include "proxy/net/dial.h"
#include "proxy/net/tls_connector.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/backoff.h"
#include "proxy/upstream/ejection.h"
#include "proxy/upstream/keepalive_learner.h"
#include "proxy/upstream/rest_board.h"
#include "proxy/upstream/server_bound.h"
#include "proxy/upstream/server_state.h"
#include "proxy/upstream/trouble.h"
#include "proxy/upstream/waiter_queue.h"

namespace berth::upstream {

// Lives as long as a snapshot names the upstream or a request waits in it.
struct SharedCluster {
  std::string name;
  WaiterQueue queue;
  Turnstile ended_rests;  // requests whose clients rest are ended one after the other
  SlotCounter uploads;    // connections held by requests whose bodies are still coming
  std::mutex ejecting;    // held by who ejects a server or ends an ejection
  std::atomic<bool> retired{
      false};  // the configuration no longer names it; its last requests are still served
};

// Thread: any. Written rarely (connect, close, reload) but for idle counts, which each have their
// own cache line.
class SharedServer {
 public:
  SharedServer(std::shared_ptr<SharedCluster> of, net::Address at, uint32_t workers,
               std::shared_ptr<ServerBound> within,
               std::shared_ptr<const net::TlsConnector> security = nullptr)
      : cluster(std::move(of)),
        address(std::move(at)),
        tls(std::move(security)),
        tag(hash64(address.to_string())),
        bound(std::move(within)),
        facts(*bound->facts),
        states(bound->states),
        slots(bound->slots),
        upgraded(bound->upgraded),
        rests(workers),
        configured(address.to_string()),
        backoff(states),
        name_(configured),
        idle_(workers) {}

  const std::shared_ptr<SharedCluster> cluster;
  const net::Address address;
  const std::shared_ptr<const net::TlsConnector> tls;  // nullptr: plain
  const uint64_t tag;  // of its address: in sticky cookies, and its place in the order of a hash
  const std::shared_ptr<ServerBound> bound;
  stats::ServerFacts& facts;
  ServerStates& states;
  SlotCounter& slots;
  SlotCounter& upgraded;
  RestBoard rests;
  // Its address of the other IP family; nullptr: none. Set before the first connection.
  std::unique_ptr<net::OtherAddress> other;
  // As the configuration in effect writes it: a host name and a port, maybe. Thread: the main
  // thread.
  std::string configured;
  Backoff backoff;  // while it cannot be reached
  KeepaliveLearner learner;
  Ejector ejector;
  Trouble trouble;
  std::atomic<bool> retired{false};  // the configuration no longer names it
  std::atomic<uint32_t> weight{1};
  std::atomic<bool> backup{false};
  std::atomic<size_t> waiting_for_it{0};  // tickets in the queue that are for this server only

  // A retired server serves only what still waits in a retired upstream.
  bool may_serve() const {
    return !retired.load(std::memory_order_relaxed) ||
           cluster->retired.load(std::memory_order_relaxed);
  }

  // What people and metrics call it: its address, whatever the configuration calls it.
  const std::string& name() const { return name_; }

  uint32_t workers() const { return static_cast<uint32_t>(idle_.size()); }
  uint32_t idle(uint32_t worker) const {
    return idle_[worker].count.load(std::memory_order_seq_cst);
  }
  // Published before the queue is looked at (waiter_queue.h). Thread: the worker's own count only.
  void publish_idle(uint32_t worker, uint32_t count) {
    idle_[worker].count.store(count, std::memory_order_seq_cst);
  }
  uint32_t idle_total() const {
    uint32_t total = 0;
    for (const IdleCount& worker : idle_) total += worker.count.load(std::memory_order_relaxed);
    return total;
  }

  // The one predicate that decides whether a new request may go to this server. (Whether there is
  // room for it is another question.) Ready: yes. Draining: no. Otherwise only when no server of
  // the upstream is ready: one that is away (backing off) after all others.
  Availability availability(TimePoint now) const {
    return states.none() ? Availability::Ready : look(now);
  }

  // Ejected or unhealthy, whether or not it is away as well.
  bool left_out(TimePoint now) const {
    return !states.none() && (states.has(Availability::Unhealthy) || ejector.ejected(now));
  }

  // The server is closing its idle connections: those that were idle by then are not to be used
  // (FIN burst).
  void drop_idle_until(TimePoint now) {
    idle_dropped_until_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  bool idle_dropped(TimePoint idle_since) const {
    return idle_since.time_since_epoch().count() <=
           idle_dropped_until_.load(std::memory_order_relaxed);
  }

  // A connection that was begun at `began` could not be made, or was. True if that is news: the
  // server is away from now on; it was away. (Whoever makes a server unavailable publishes that and
  // then looks at the queue: those who wait for it may go elsewhere now.)
  bool connect_failed(ConnectFailure reason, TimePoint began, TimePoint now, Trial trial = {});
  bool connect_succeeded(TimePoint now);
  // A connection to its address has been made, at least once since the start.
  bool seen_alive() const { return bound->seen_alive.load(std::memory_order_relaxed); }

  // When it came, or came back: slow start counts from here.
  TimePoint up_since() const {
    return TimePoint(Duration(up_since_.load(std::memory_order_relaxed)));
  }
  void came_up(TimePoint now) {
    up_since_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  // The first worker that knows it says when that was.
  void first_seen(TimePoint now) {
    int64_t never = kNever;
    up_since_.compare_exchange_strong(never, now.time_since_epoch().count(),
                                      std::memory_order_relaxed);
  }

  // Until Ejector::until().
  void eject(const config::Ejection& limits, TimePoint now);
  // If its ejection is over. True when this call has ended it.
  bool end_ejection(TimePoint now);
  // Ends it before its time. True when this call has ended it.
  bool pardon(TimePoint now);

 private:
  Availability look(TimePoint now) const;
  bool come_back(TimePoint now);

  struct alignas(64) IdleCount {
    std::atomic<uint32_t> count{0};
  };
  const std::string name_;
  std::vector<IdleCount> idle_;
  static constexpr int64_t kNever = INT64_MIN;
  std::atomic<int64_t> up_since_{kNever};
  std::atomic<int64_t> idle_dropped_until_{INT64_MIN};
};

}  // namespace berth::upstream
