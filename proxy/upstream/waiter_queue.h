// The queue of an upstream: requests that wait for a connection, first come first served over all
// workers.
//
// No wake-up is lost: whoever frees something (an idle connection, a slot) makes it visible and
// then looks at waiting(); whoever waits enqueues and then looks for idle connections and free
// slots. Both sides are sequentially consistent, so at least one of them sees the other. When
// nobody waits, the queue costs one load of a line that nobody writes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/base/owning_list.h"
#include "proxy/base/time.h"

namespace berth::upstream {

class SharedServer;
class Waiter;
class WorkerPools;

// The servers that one request has tried already, and is not to try again.
class TriedServers {
 public:
  static constexpr size_t kCapacity = 7;

  void add(const SharedServer* server) {
    if (count_ < kCapacity) servers_[count_++] = server;
  }
  bool contains(const SharedServer* server) const {
    for (size_t i = 0; i < count_; ++i) {
      if (servers_[i] == server) return true;
    }
    return false;
  }
  size_t size() const { return count_; }

 private:
  std::array<const SharedServer*, kCapacity> servers_{};
  size_t count_ = 0;
};

struct TicketTag {};

// A place in the queue. The queue owns it while it waits; whoever pops it sends it home together
// with what it was granted.
struct Ticket : ListHook<TicketTag> {
  WorkerPools* home = nullptr;
  Waiter* waiter = nullptr;  // home's thread only; nullptr once the waiter has given up
  TriedServers tried;
  std::shared_ptr<SharedServer> only;  // waits for this one, as long as it may serve
  uint64_t arrival = 0;                // its number in the order of arrival; 0: it has none yet
};

using TicketPtr = std::unique_ptr<Ticket>;

// Thread: any.
class WaiterQueue {
 public:
  // A place in the order of arrival, for a request that need not wait yet.
  uint64_t arrive() { return arrivals_.fetch_add(1, std::memory_order_relaxed) + 1; }
  // Queues the ticket and returns it, so that the waiter can withdraw it until it comes home.
  // Returns nullptr if `limit` tickets are waiting already. A ticket that already has a place in
  // the order keeps it whatever the limit, unless the limit is 0.
  Ticket* push(TicketPtr ticket, size_t limit);
  // Takes out the oldest ticket that `fits` accepts, if there is one. `fits` runs under the lock
  // and may read only the ticket and what is atomic.
  template <class F>
  TicketPtr pop_if(F&& fits) {
    const std::lock_guard lock(mutex_);
    Ticket* ticket = tickets_.find_if(fits);
    if (ticket == nullptr) return nullptr;
    return take_out(*ticket);
  }
  template <class F>
  bool has(F&& fits) {
    const std::lock_guard lock(mutex_);
    return tickets_.find_if(fits) != nullptr;
  }
  // Back to its place, by the order of arrival: what it was granted could not be used.
  void put_back(TicketPtr ticket);
  // Takes out a ticket that was pushed. Empty if somebody has popped it: it is on its way home.
  TicketPtr withdraw(Ticket& ticket);

  size_t waiting() const { return waiting_.load(std::memory_order_seq_cst); }
  // Less those who wait for one server alone.
  size_t waiting_for_any() const { return waiting_for_any_.load(std::memory_order_seq_cst); }

  // Visits the tickets, oldest first, under the lock: for those who check the order.
  template <class F>
  void for_each(F&& visit) {
    const std::lock_guard lock(mutex_);
    tickets_.for_each([&](Ticket& ticket) { visit(static_cast<const Ticket&>(ticket)); });
  }

 private:
  void count(const Ticket& ticket, int by);
  TicketPtr take_out(Ticket& ticket);
  Ticket* insert(TicketPtr ticket);

  std::mutex mutex_;
  OwningList<Ticket, TicketTag> tickets_;  // by arrival
  std::atomic<uint64_t> arrivals_{0};
  std::atomic<size_t> waiting_{0};
  std::atomic<size_t> waiting_for_any_{0};
};

}  // namespace berth::upstream
