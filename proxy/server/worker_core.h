// What a worker does, wherever it runs: takes configurations over, opens and closes its ports,
// drains, ends. `Worker` is a thread for it; the simulator runs several on a clock of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/base/random.h"
#include "proxy/event/mailbox.h"
#include "proxy/event/runtime.h"
#include "proxy/exchange/context.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/server/port.h"
#include "proxy/server/topology.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::server {

// Hears from the workers. Thread: theirs.
class WorkerObserver : public upstream::ServerObserver {
 public:
  // The plan that was posted to it is in effect.
  virtual void on_worker_ready(uint32_t worker) = 0;
  // After drain(): its last client connection is gone, and servers have what it has said.
  virtual void on_worker_drained(uint32_t worker) = 0;
  // So many requests or connections were ended because memory ran short, since it was last told;
  // the last was `client`'s. At most once in ten seconds.
  virtual void on_memory_short(uint64_t /*losses*/, const std::string& /*client*/) {}

 protected:
  ~WorkerObserver() = default;
};

// Thread: its worker's, but for what is posted.
class WorkerCore final : private event::TimerHandler, private Eviction {
 public:
  // Where it runs. All of it outlives the core.
  struct Host {
    event::Runtime& runtime;
    net::Network& network;
    event::Mailbox& mailbox;
    PortOpener& ports;
  };
  // `log`: may be nullptr. `instance`: this process in Via, "": no Via is sent.
  WorkerCore(const Host& host, uint32_t index, stats::Registry& registry,
             std::unique_ptr<exchange::AccessLogSink> log, WorkerObserver& observer, uint64_t seed,
             std::string instance);
  WorkerCore(const WorkerCore&) = delete;
  WorkerCore& operator=(const WorkerCore&) = delete;
  // After close_all().
  ~WorkerCore();

  // Before the first turn: of all workers, this one too.
  void set_peers(const std::vector<upstream::Peer>& peers) { pools_.set_peers(&peers); }
  upstream::Peer peer() { return {&host_.mailbox, &pools_}; }

  // Each is posted, and done in a turn of the worker. Thread: any.
  void post_apply(WorkerPlan plan);
  // Every response says from now on that its connection closes after it.
  void post_announce_end();
  // Stop accepting, close idle connections, let the others finish their response.
  void post_drain();

  // At the end of each turn.
  void end_turn();
  // Closes everything, as the worker ends. Messages may still be posted; none is delivered.
  void close_all();

  upstream::WorkerPools& pools() { return pools_; }
  // Those in the configuration, by the key of their plan.
  const std::unordered_map<std::string, std::unique_ptr<Port>>& ports() const { return ports_; }
  // Those that have left it, while clients remain.
  const std::vector<std::unique_ptr<Port>>& closing() const { return closing_; }
  // nullptr: none yet.
  const config::SnapshotPtr& snapshot() const { return snapshot_; }

 private:
  friend class ApplyMessage;
  friend class AnnounceEndMessage;
  friend class DrainMessage;
  void take(WorkerPlan plan);
  void take_listeners(std::vector<ListenerPlan> plans);
  void announce_end();
  void drain();
  void tell_losses();
  void on_timer(event::Timer& timer) override;
  size_t evict_idle(size_t most) override;

  const Host host_;
  const uint32_t index_;
  WorkerObserver& observer_;
  stats::Registry& registry_;
  const std::shared_ptr<stats::WorkerStats> stats_;
  const std::unique_ptr<exchange::AccessLogSink> access_log_;
  net::Scratch scratch_;
  Random random_;
  net::WorkerEnv env_;
  upstream::WorkerPools pools_;
  exchange::Context context_;
  config::SnapshotPtr snapshot_;
  std::unordered_map<std::string, std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Port>> closing_;
  event::Timer flush_timer_;  // of the access log
  uint64_t losses_counted_ = 0;
  uint64_t losses_told_ = 0;
  TimePoint losses_told_at_{};
  bool draining_ = false;
  bool drained_ = false;
};

}  // namespace berth::server
