#include "proxy/server/worker_core.h"

#include <utility>

namespace berth::server {

namespace {
constexpr Duration kLogFlushEvery = std::chrono::seconds(1);
constexpr Duration kTellLossesEvery = std::chrono::seconds(10);
}  // namespace

class ApplyMessage final : public event::Message {
 public:
  ApplyMessage(WorkerCore& worker, WorkerPlan plan) : worker_(worker), plan_(std::move(plan)) {}
  void deliver() override { worker_.take(std::move(plan_)); }

 private:
  WorkerCore& worker_;
  WorkerPlan plan_;
};

class AnnounceEndMessage final : public event::Message {
 public:
  explicit AnnounceEndMessage(WorkerCore& worker) : worker_(worker) {}
  void deliver() override { worker_.announce_end(); }

 private:
  WorkerCore& worker_;
};

class DrainMessage final : public event::Message {
 public:
  explicit DrainMessage(WorkerCore& worker) : worker_(worker) {}
  void deliver() override { worker_.drain(); }

 private:
  WorkerCore& worker_;
};

WorkerCore::WorkerCore(const Host& host, uint32_t index, stats::Registry& registry,
                       std::unique_ptr<exchange::AccessLogSink> log, WorkerObserver& observer,
                       uint64_t seed, std::string instance)
    : host_(host),
      index_(index),
      observer_(observer),
      registry_(registry),
      stats_(registry.worker(index)),
      access_log_(std::move(log)),
      random_(seed),
      env_{host.runtime, host.network, scratch_, random_, index},
      pools_(env_, registry, &observer),
      context_{.env = env_, .router = {}, .access_log = nullptr, .instance = std::move(instance)},
      flush_timer_(*this) {}

WorkerCore::~WorkerCore() = default;

void WorkerCore::post_apply(WorkerPlan plan) {
  host_.mailbox.post(std::make_unique<ApplyMessage>(*this, std::move(plan)));
}

void WorkerCore::post_announce_end() {
  host_.mailbox.post(std::make_unique<AnnounceEndMessage>(*this));
}

void WorkerCore::post_drain() {
  host_.mailbox.post(std::make_unique<DrainMessage>(*this));
}

void WorkerCore::take(WorkerPlan plan) {
  env_.spool = plan.spool;
  pools_.apply(plan.clusters);
  std::unordered_map<std::string_view, upstream::Cluster*> clusters;
  for (const upstream::ClusterPlan& upstream : plan.clusters) {
    clusters[upstream.cluster->name] = pools_.find(*upstream.cluster);
  }
  context_.router = LocalPtr(new exchange::Router(plan.snapshot, clusters, &registry_));
  snapshot_ = plan.snapshot;
  const bool log = plan.snapshot->config.access_log.enabled;
  context_.access_log = log ? access_log_.get() : nullptr;
  if (context_.access_log != nullptr) env_.runtime.arm(flush_timer_, kLogFlushEvery);
  take_listeners(std::move(plan.listeners));
  observer_.on_worker_ready(index_);
}

void WorkerCore::take_listeners(std::vector<ListenerPlan> plans) {
  std::unordered_map<std::string, std::unique_ptr<Port>> next;
  for (ListenerPlan& plan : plans) {
    if (const auto at = ports_.find(plan.key); at != ports_.end()) {
      at->second->apply(plan.settings, plan.tls);
      next.insert(ports_.extract(at));
      continue;
    }
    auto clients = std::make_unique<client::ClientListener>(context_, plan.settings, plan.count,
                                                            std::move(plan.stats), plan.tls);
    next[plan.key] = host_.ports.open(plan, std::move(clients), *this);
  }
  ports_.swap(next);  // what is left in `next` is gone from the configuration
  for (auto& [key, port] : next) {
    port->stop_accepting();
    port->clients().drain();
    closing_.push_back(std::move(port));
  }
}

void WorkerCore::announce_end() {
  for (auto& [key, port] : ports_) port->clients().announce_end();
}

void WorkerCore::drain() {
  draining_ = true;
  take_listeners({});
  pools_.close_idle();
}

void WorkerCore::close_all() {
  ports_.clear();
  closing_.clear();
  pools_.close_all();
  context_.router = {};
  env_.runtime.cancel(flush_timer_);
  if (access_log_ != nullptr) access_log_->flush();
}

void WorkerCore::end_turn() {
  if (context_.memory.losses() != losses_told_) tell_losses();
  if (closing_.empty() && !draining_) return;
  std::erase_if(closing_, [](const auto& port) { return port->clients().empty(); });
  if (draining_ && !drained_ && closing_.empty() && !pools_.has_last_words()) {
    drained_ = true;
    observer_.on_worker_drained(index_);
  }
}

void WorkerCore::tell_losses() {
  const net::MemoryKeeper& memory = context_.memory;
  stats_->memory_losses.add(memory.losses() - std::exchange(losses_counted_, memory.losses()));
  const TimePoint now = env_.now();
  if (losses_told_ > 0 && now - losses_told_at_ < kTellLossesEvery) return;
  losses_told_at_ = now;
  const uint64_t news = memory.losses() - std::exchange(losses_told_, memory.losses());
  observer_.on_memory_short(news, memory.last_loser());
}

void WorkerCore::on_timer(event::Timer& timer) {
  access_log_->flush();
  if (context_.access_log != nullptr) env_.runtime.arm(timer, kLogFlushEvery);
}

size_t WorkerCore::evict_idle(size_t most) {
  size_t closed = 0;
  for (auto& [key, port] : ports_) {
    if (closed < most) closed += port->clients().evict_idle(most - closed);
  }
  return closed;
}

}  // namespace berth::server
