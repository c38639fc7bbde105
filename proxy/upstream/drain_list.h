// The connections to one server that one thread is closing, and what the metrics say of them.
#pragma once

#include <cstdint>
#include <memory>

#include "proxy/base/owning_list.h"
#include "proxy/stats/stats.h"
#include "proxy/upstream/draining_connection.h"

namespace berth::upstream {

// Told when the server has let go of a connection. Thread: the list's.
class DrainListOwner {
 public:
  // A slot is free. `reason`: why the connection was closed.
  virtual void on_let_go(CloseReason reason) = 0;

 protected:
  ~DrainListOwner() = default;
};

// Thread: its worker's.
class DrainList final : private DrainObserver {
 public:
  // All of them outlive the list.
  DrainList(net::WorkerEnv& env, stats::ServerStats& stats, DrainListOwner& owner)
      : env_(env), stats_(stats), owner_(owner) {}
  DrainList(const DrainList&) = delete;
  DrainList& operator=(const DrainList&) = delete;
  // Closes at once what still drains, without telling the owner.
  ~DrainList();

  // Closes a connection: asks the server to let go, and resets it after `close_timeout`. Counts it
  // as draining until then, and as closed after that.
  void drain(ClosingConnection closing, Duration close_timeout);
  // Counts a connection as closed whose server has let go already, and frees its slot.
  void settle(ClosingConnection closing);

  bool empty() const { return connections_.empty(); }
  // Some server has yet to take what a client has said to it.
  bool has_last_words() {
    return connections_.find_if([](auto& one) { return one.has_last_words(); }) != nullptr;
  }
  // Slots of the pool that are still held. (Those of upgraded connections are another bound's.)
  uint32_t slots() const { return slots_; }

 private:
  void on_drained(DrainingConnection& connection, bool in_time) override;
  void count(const DrainingConnection& connection, int by);
  void closed(CloseReason reason);

  net::WorkerEnv& env_;
  stats::ServerStats& stats_;
  DrainListOwner& owner_;
  OwningList<DrainingConnection, DrainTag> connections_;
  uint32_t slots_ = 0;
};

}  // namespace berth::upstream
