// One worker of the process: a thread with a loop, on the kernel's sockets. What it does is in
// WorkerCore.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/event/loop.h"
#include "proxy/net/socket_network.h"
#include "proxy/server/access_log.h"
#include "proxy/server/worker_core.h"

namespace berth::server {

// Constructed, started, told and destroyed by the main thread; everything else happens on its own
// thread.
class Worker final : private event::TurnObserver, private PortOpener {
 public:
  Worker(uint32_t index, stats::Registry& registry, AccessLog& log, WorkerObserver& observer,
         uint64_t seed, std::string instance);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Stops the thread and closes everything.
  ~Worker();

  void start(const std::vector<upstream::Peer>& peers);
  upstream::Peer peer() { return core_.peer(); }

  // See WorkerCore.
  void apply(WorkerPlan plan) { core_.post_apply(std::move(plan)); }
  void announce_end() { core_.post_announce_end(); }
  void drain() { core_.post_drain(); }
  void stop() { loop_.stop(); }
  // Stops the thread and waits for it. Other workers may still post to this one.
  void join();

 private:
  void on_turn(Duration took) override;
  std::unique_ptr<Port> open(ListenerPlan& plan, std::unique_ptr<client::ClientListener> clients,
                             Eviction& eviction) override;

  const uint32_t index_;
  std::shared_ptr<stats::WorkerStats> stats_;
  event::Loop loop_;
  net::SocketNetwork network_;
  WorkerCore core_;
  std::thread thread_;
};

}  // namespace berth::server
