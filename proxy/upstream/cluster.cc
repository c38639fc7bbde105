#include "proxy/upstream/cluster.h"

#include <algorithm>

#include "proxy/base/check.h"
#include "proxy/net/connect_error.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::upstream {

Cluster::Cluster(WorkerPools& pools, std::shared_ptr<SharedCluster> shared,
                 std::shared_ptr<stats::QueueStats> stats)
    : pools_(pools),
      env_(pools.env()),
      shared_(std::move(shared)),
      stats_(std::move(stats)),
      balancer_(env_.random) {}

void Cluster::apply(ServerPool::Settings settings, std::vector<ServerPool*> servers) {
  settings_ = std::move(settings);
  servers_ = std::move(servers);
  balancer_.set_servers(servers_);
  // Half of all: the other half is for requests that are whole.
  const uint64_t all = uint64_t{settings_->pool.max_connections} * servers_.size();
  shared_->uploads.set_limit(static_cast<uint32_t>(std::min<uint64_t>(all / 2, UINT32_MAX)));
  look_for_servers();
}

ServerObserver* Cluster::observer() const {
  return pools_.observer();
}

void Cluster::request_ended() {
  retry_budget_.request_ended();
  if (!in_use()) pools_.sweep_later();
}

bool Cluster::has_room_now() const {
  if (shared_->queue.waiting_for_any() > 0) return false;
  return std::any_of(servers_.begin(), servers_.end(), [this](const ServerPool* pool) {
    const SharedServer& server = *pool->shared_server();
    return server.availability(env_.now()) == Availability::Ready && pool->can_serve_now();
  });
}

Cluster::Outcome Cluster::acquire(Waiter& waiter, const Wanted& wanted) {
  // Those who wait already come first. (Those who wait for one server are no reason to wait for the
  // others.)
  const bool queued = shared_->queue.waiting_for_any() > 0;
  if (wanted.must_wait) return enqueue(waiter, wanted.tried, nullptr);
  if (queued && !wanted.affinity) return enqueue(waiter, wanted.tried, nullptr);
  const Balancer::Choice choice =
      balancer_.pick(*settings_, wanted.tried, wanted.affinity, env_.now());
  if (choice.some_away) try_those_that_are_away();
  ServerPool* const pool = choice.pool;
  ServerPool* const only = choice.bound ? pool : nullptr;
  if (choice.must_wait || (queued && pool != nullptr)) return enqueue(waiter, wanted.tried, only);
  if (pool == nullptr) return {.lease = {}, .refused = CloseReason::NoServer};
  if (Lease lease = pool->take_idle(wanted.freshness)) {
    pool->stats().acquisitions[stats::AcquireSource::Idle].add();
    return {.lease = std::move(lease)};
  }
  // The best there is cannot be reached: whoever comes back first will do.
  const Backoff& backoff = pool->server().backoff;
  if (backoff.away() && waits_after(backoff.reason())) {
    return enqueue(waiter, wanted.tried, nullptr);
  }
  if (Slot slot = pool->server().slots.try_take()) {
    waiter.set_source(stats::AcquireSource::New);
    if (waiter.arrival() == 0) waiter.set_arrival(shared_->queue.arrive());
    const CloseReason failure = pool->connect(std::move(slot), &waiter);
    return {.lease = {}, .refused = failure, .server = &pool->server()};
  }
  return enqueue(waiter, wanted.tried, only);
}

Cluster::Outcome Cluster::enqueue(Waiter& waiter, const TriedServers& tried, ServerPool* only) {
  auto ticket = std::make_unique<Ticket>();
  ticket->home = &pools_;
  ticket->waiter = &waiter;
  ticket->tried = tried;
  if (only != nullptr) ticket->only = only->shared_server();
  ticket->arrival = waiter.arrival();
  Ticket* const queued = shared_->queue.push(std::move(ticket), settings_->pool.queue_size);
  if (queued == nullptr) {
    stats_->rejected[stats::QueueReject::Full].add();
    return {.lease = {}, .refused = CloseReason::QueueFull};
  }
  waiter.enter_queue(*this, *queued);
  stats_->length.add();
  look_again(tried);
  return {};
}

// A request waits only for a server that has worked before and may come back by itself; otherwise
// it would wait in vain.
bool Cluster::waits_after(CloseReason reason) const {
  const config::Pool& pool = settings_->pool;
  return pool.wait_while_down && pool.queue_size > 0 && reason != CloseReason::NoLocalResources &&
         !net::is_certificate_failure(reason) &&
         std::any_of(servers_.begin(), servers_.end(),
                     [](ServerPool* server) { return server->server().seen_alive(); });
}

// Nobody waits for them, so it takes a request to look after them.
void Cluster::try_those_that_are_away() {
  for (ServerPool* pool : servers_) {
    const SharedServer& server = pool->server();
    if (server.states.has(Availability::Draining)) continue;
    if (server.backoff.due() <= env_.now()) pool->try_again();
  }
}

bool Cluster::all_away() const {
  return std::all_of(servers_.begin(), servers_.end(),
                     [](ServerPool* server) { return server->server().backoff.away(); });
}

void Cluster::pump_those_that_stay() {
  for (ServerPool* pool : servers_) {
    if (!pool->server().retired.load(std::memory_order_relaxed)) pool->pump_later();
  }
}

// Not only what is free here, but all that other workers have idle.
void Cluster::look_for_servers() {
  if (shared_->queue.waiting() == 0) return;
  for (ServerPool* pool : servers_) {
    pool->pump_later();
    pool->ask_other_workers();
  }
}

// Something may have come free between the look and the push (waiter_queue.h). What is idle here is
// for one each of those who wait: the others may need what is idle elsewhere.
void Cluster::look_again(const TriedServers& tried) {
  const size_t waiting = shared_->queue.waiting();
  for (ServerPool* pool : servers_) {
    if (tried.contains(&pool->server())) continue;
    if (pool->has_idle() || pool->server().slots.has_room()) pool->pump_later();
    if (pool->idle_count() < waiting) pool->ask_other_workers();
  }
}

void Cluster::eject(ServerPool& pool) {
  SharedServer& server = pool.server();
  const TimePoint now = env_.now();
  const config::Ejection& limits = settings_->ejection;
  const std::lock_guard lock(shared_->ejecting);
  size_t in_service = 0;
  size_t ejected = 0;
  size_t others_ready = 0;
  for (ServerPool* other : servers_) {
    const Availability state = other->server().availability(now);
    if (other->server().retired.load(std::memory_order_relaxed) ||
        state == Availability::Draining) {
      continue;
    }
    ++in_service;
    ejected += static_cast<size_t>(other->server().ejector.ejected(now));
    others_ready += static_cast<size_t>(other != &pool && state == Availability::Ready);
  }
  if (server.ejector.ejected(now) || !may_eject(limits, in_service, ejected, others_ready)) return;
  server.eject(limits, now);
  pool.on_ejected();
}

void Cluster::left_queue(Waiter& waiter) {
  stats_->length.sub();
  stats_->wait.observe(stats::as_micros(waiter.leave_queue()));
}

void Cluster::give_up(Waiter& waiter) {
  Ticket& ticket = waiter.ticket();
  left_queue(waiter);
  ticket.waiter = nullptr;
  // Empty: it comes home with a grant, and finds nobody.
  const TicketPtr withdrawn = shared_->queue.withdraw(ticket);
}

void Cluster::on_queue_timeout(Waiter& waiter) {
  give_up(waiter);
  stats_->rejected[stats::QueueReject::Timeout].add();
  waiter.fail(all_away() ? Refusal(CloseReason::ServerAway) : Refusal(CloseReason::QueueTimeout),
              nullptr);
}

void Cluster::on_client_gone(Waiter& waiter) {
  stats_->rejected[stats::QueueReject::ClientGone].add();
  give_up(waiter);
}

}  // namespace berth::upstream
