#include "proxy/server/worker.h"

#include <pthread.h>

#include <string>
#include <utility>

#include "proxy/server/socket_port.h"

namespace berth::server {

Worker::Worker(uint32_t index, stats::Registry& registry, AccessLog& log, WorkerObserver& observer,
               uint64_t seed, std::string instance)
    : index_(index),
      stats_(registry.worker(index)),
      network_(loop_),
      core_({.runtime = loop_.runtime(), .network = network_, .mailbox = loop_, .ports = *this},
            index, registry, log.worker(stats_), observer, seed, std::move(instance)) {
  loop_.observe_turns(this);
}

Worker::~Worker() {
  join();
}

void Worker::join() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::start(const std::vector<upstream::Peer>& peers) {
  core_.set_peers(peers);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("berth-" + std::to_string(index_)).c_str());
    loop_.run();
    core_.close_all();
  });
}

// --- On the worker's thread.

void Worker::on_turn(Duration took) {
  stats_->loop_lag.observe(stats::as_micros(took));
  core_.end_turn();
}

std::unique_ptr<Port> Worker::open(ListenerPlan& plan,
                                   std::unique_ptr<client::ClientListener> clients,
                                   Eviction& eviction) {
  return std::make_unique<SocketPort>(loop_, std::move(plan.fd), eviction, std::move(clients));
}

}  // namespace berth::server
