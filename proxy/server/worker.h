// One worker: a thread with its loop, its listeners, its client connections and its shard of every
// pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proxy/base/random.h"
#include "proxy/client/client_listener.h"
#include "proxy/event/loop.h"
#include "proxy/exchange/context.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/net/socket_network.h"
#include "proxy/server/access_log.h"
#include "proxy/server/port.h"
#include "proxy/server/topology.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::server {

// Hears from the workers. Thread: theirs.
class WorkerObserver : public upstream::EjectionObserver {
 public:
  // The plan that was posted to it is in effect.
  virtual void on_worker_ready(uint32_t worker) = 0;
  // After drain(): its last client connection is gone.
  virtual void on_worker_drained(uint32_t worker) = 0;

 protected:
  ~WorkerObserver() = default;
};

// Constructed, started, told and destroyed by the main thread; everything else happens on its own
// thread.
class Worker final : private event::TurnObserver, private event::TimerHandler, public Eviction {
 public:
  Worker(uint32_t index, stats::Registry& registry, AccessLog& log, WorkerObserver& observer,
         uint64_t seed);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Stops the thread and closes everything.
  ~Worker();

  void start(const std::vector<upstream::Peer>& peers);
  upstream::Peer peer() { return {&loop_, &pools_}; }

  // Each is posted to the worker and done on its thread.
  void apply(WorkerPlan plan);
  // Stop accepting, close idle connections, let the others finish their response.
  void drain();
  void stop() { loop_.stop(); }
  // Stops the thread and waits for it. Other workers may still post to this one.
  void join();

 private:
  friend class ApplyMessage;
  friend class DrainMessage;
  void take(WorkerPlan plan);
  void take_listeners(std::vector<ListenerPlan> plans);
  void begin_drain();
  void close_all();
  void on_turn(Duration took) override;
  void on_timer(event::Timer& timer) override;
  size_t evict_idle(size_t most) override;

  const uint32_t index_;
  WorkerObserver& observer_;
  std::shared_ptr<stats::WorkerStats> stats_;
  std::unique_ptr<AccessLogWorker> access_log_;
  event::Loop loop_;
  net::SocketNetwork network_;
  net::Scratch scratch_;
  Random random_;
  net::WorkerEnv env_;
  upstream::WorkerPools pools_;
  exchange::Context context_;
  std::unordered_map<std::string, std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Port>> closing_;  // left the configuration; their connections finish
  event::Timer flush_timer_;                    // of the access log
  bool draining_ = false;
  bool drained_ = false;
  std::thread thread_;
};

}  // namespace berth::server
