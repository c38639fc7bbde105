#include "proxy/server/worker.h"

#include <pthread.h>

namespace berth::server {

namespace {
constexpr Duration kLogFlushEvery = std::chrono::seconds(1);
}

class ApplyMessage final : public event::Message {
 public:
  ApplyMessage(Worker& worker, WorkerPlan plan) : worker_(worker), plan_(std::move(plan)) {}
  void deliver() override { worker_.take(std::move(plan_)); }

 private:
  Worker& worker_;
  WorkerPlan plan_;
};

class DrainMessage final : public event::Message {
 public:
  explicit DrainMessage(Worker& worker) : worker_(worker) {}
  void deliver() override { worker_.begin_drain(); }

 private:
  Worker& worker_;
};

Worker::Worker(uint32_t index, stats::Registry& registry, AccessLog& log, WorkerObserver& observer,
               uint64_t seed)
    : index_(index),
      observer_(observer),
      stats_(registry.worker(index)),
      access_log_(log.worker(stats_)),
      network_(loop_),
      random_(seed),
      env_{loop_.runtime(), network_, scratch_, random_, index},
      pools_(env_, registry, &observer),
      context_{.env = env_, .router = {}, .access_log = nullptr},
      flush_timer_(*this) {
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
  pools_.set_peers(&peers);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("berth-" + std::to_string(index_)).c_str());
    loop_.run();
    close_all();
  });
}

void Worker::apply(WorkerPlan plan) {
  loop_.post(std::make_unique<ApplyMessage>(*this, std::move(plan)));
}

void Worker::drain() {
  loop_.post(std::make_unique<DrainMessage>(*this));
}

// --- On the worker's thread from here on.

void Worker::take(WorkerPlan plan) {
  pools_.apply(plan.clusters);
  std::unordered_map<std::string_view, upstream::Cluster*> clusters;
  for (const upstream::ClusterPlan& upstream : plan.clusters) {
    clusters[upstream.cluster->name] = pools_.find(*upstream.cluster);
  }
  context_.router = LocalPtr(new exchange::Router(plan.snapshot, clusters));
  const bool log = plan.snapshot->config.access_log.enabled;
  context_.access_log = log ? access_log_.get() : nullptr;
  if (log) env_.runtime.arm(flush_timer_, kLogFlushEvery);
  take_listeners(std::move(plan.listeners));
  observer_.on_worker_ready(index_);
}

void Worker::take_listeners(std::vector<ListenerPlan> plans) {
  std::unordered_map<std::string, std::unique_ptr<Port>> next;
  for (ListenerPlan& plan : plans) {
    if (const auto at = ports_.find(plan.key); at != ports_.end()) {
      at->second->apply(plan.settings, plan.tls);
      next.insert(ports_.extract(at));
      continue;
    }
    auto clients = std::make_unique<client::ClientListener>(context_, plan.settings, plan.count,
                                                            std::move(plan.stats), plan.tls);
    next[plan.key] = std::make_unique<Port>(loop_, std::move(plan.fd), *this, std::move(clients));
  }
  ports_.swap(next);  // what is left in `next` is gone from the configuration
  for (auto& [key, port] : next) {
    port->stop_accepting();
    port->clients().drain();
    closing_.push_back(std::move(port));
  }
}

void Worker::begin_drain() {
  draining_ = true;
  take_listeners({});
  pools_.close_idle();
}

void Worker::close_all() {
  ports_.clear();
  closing_.clear();
  pools_.close_all();
  context_.router = {};
  access_log_->flush();
}

void Worker::on_turn(Duration took) {
  stats_->loop_lag.observe(stats::as_micros(took));
  if (closing_.empty() && !draining_) return;
  std::erase_if(closing_, [](const auto& port) { return port->clients().empty(); });
  if (draining_ && closing_.empty() && !drained_) {
    drained_ = true;
    observer_.on_worker_drained(index_);
  }
}

void Worker::on_timer(event::Timer& timer) {
  access_log_->flush();
  if (context_.access_log != nullptr) env_.runtime.arm(timer, kLogFlushEvery);
}

size_t Worker::evict_idle(size_t most) {
  size_t closed = 0;
  for (auto& [key, port] : ports_) {
    if (closed < most) closed += port->clients().evict_idle(most - closed);
  }
  return closed;
}

}  // namespace berth::server
