#include "tests/sim/invariants.h"

#include <algorithm>

namespace berth::sim {

namespace {
constexpr Duration kTimersMayBeLate = 2ms;
constexpr Duration kSurplusAtMost = 3200ms;
constexpr Duration kTrialsMayBeLate = 150ms;
constexpr Duration kQueueTimersMayBeLate = 250ms;  // as a worker lags, and a grant travels
}  // namespace

void Invariants::know(const server::WorkerPlan& plan) {
  generation_ = plan.snapshot->generation;
  for (const upstream::ClusterPlan& cluster : plan.clusters) {
    if (std::none_of(queues_.begin(), queues_.end(),
                     [&](const Queue& q) { return q.cluster == cluster.cluster; })) {
      queues_.push_back({.cluster = cluster.cluster});
    }
    for (Queue& queue : queues_) {
      if (queue.cluster != cluster.cluster) continue;
      queue.patience = std::max(queue.patience, cluster.settings->pool.queue_timeout);
    }
    for (const auto& server : cluster.servers) {
      if (std::none_of(bounds_.begin(), bounds_.end(),
                       [&](const Bound& b) { return b.server == server; })) {
        // (With other TLS settings it shares the bound of the one before.)
        bounds_.push_back(
            {.server = server,
             .allowed = std::max(server->slots.limit(), server->slots.used()),
             .upgrades_allowed = std::max(server->upgraded.limit(), server->upgraded.used())});
      }
    }
  }
}

void Invariants::check(Network& network) {
  for (Bound& bound : bounds_) check_bound(bound, network);
  for (Queue& queue : queues_) {
    check_queue(queue);
    check_ejected(queue);
  }
}

void Invariants::check_bound(Bound& bound, Network& network) {
  const upstream::SharedServer& server = *bound.server;
  const uint32_t used = server.slots.used();
  const uint32_t limit = server.slots.limit();
  // A lowered limit takes effect as slots come back: never more than there were.
  bound.allowed = std::max(limit, std::min(bound.allowed, used));
  if (used > bound.allowed) {
    world_.fail("%s: %u slots are out, the limit is %u", server.name().c_str(), used, limit);
  }
  const uint32_t made = network.connections_to(server.address);
  if (made > used) {
    world_.fail("%s: %u connections and only %u slots", server.name().c_str(), made, used);
  }
  bound.allowed = std::max(limit, used);
  if (process_ends_) return;
  const ServerSockets::Count open = network.open_at(server.address);
  if (open.pooled > bound.allowed) {
    world_.fail("%s has %u open connections, the limit is %u", server.name().c_str(), open.pooled,
                limit);
  }
  // Taken with the request, before the server has said 101.
  const uint32_t upgrades = server.upgraded.limit();
  const uint32_t upgrading = server.upgraded.used();
  bound.upgrades_allowed = std::max(upgrades, std::min(bound.upgrades_allowed, upgrading));
  if (open.upgraded > bound.upgrades_allowed) {
    world_.fail("%s has %u upgraded connections, the limit is %u", server.name().c_str(),
                open.upgraded, upgrades);
  }
}

Invariants::Counts Invariants::count(const upstream::SharedCluster& cluster) const {
  Counts out;
  for (const auto& worker : workers_) {
    out.generations += worker->generation();
    upstream::Cluster* found = worker->pools().find(cluster);
    if (found == nullptr) continue;
    out.generations += 1000;  // a cluster that goes takes its counters along
    const stats::QueueStats& stats = found->stats();
    out.gave_up += stats.rejected[stats::QueueReject::Timeout].value() +
                   stats.rejected[stats::QueueReject::ClientGone].value();
    for (upstream::ServerPool* pool : found->servers()) {
      out.idle_taken += pool->stats().acquisitions[stats::AcquireSource::Idle].value();
    }
  }
  return out;
}

// Of the servers of an upstream, one at least is never ejected, whatever its requests do. (A reload
// may take away just those that were left.)
void Invariants::check_ejected(const Queue& queue) {
  if (generation_ > 1) return;
  size_t servers = 0;
  size_t ejected = 0;
  for (const Bound& bound : bounds_) {
    if (bound.server->cluster != queue.cluster) continue;
    ++servers;
    ejected += static_cast<size_t>(bound.server->ejector.ejected(world_.now()));
  }
  if (ejected > 0 && ejected == servers) world_.fail("all %zu servers are ejected", servers);
}

// A server that is left out is for those who have tried all others, one that drains for its
// sessions.
bool Invariants::some_left_out(const upstream::SharedCluster& cluster) const {
  return std::any_of(bounds_.begin(), bounds_.end(), [&](const Bound& bound) {
    return bound.server->cluster.get() == &cluster &&
           (bound.server->left_out(world_.now() - kTimersMayBeLate) ||
            bound.server->states.has(upstream::Availability::Draining));
  });
}

// Nobody waits for longer than queue_timeout in all, also if it was refused meanwhile and came
// back.
void Invariants::check_patience(Queue& queue, uint64_t arrival) {
  const bool here = std::any_of(queue.before.begin(), queue.before.end(),
                                [&](const Waiting& w) { return w.arrival == arrival; });
  Wait& wait = queue.waits.try_emplace(arrival, Wait{world_.now(), world_.now()}).first->second;
  // (It may come back when its time is over: connecting took long.)
  if (!here) wait.came = world_.now();
  if (world_.now() > std::max(wait.began + queue.patience, wait.came) + kQueueTimersMayBeLate) {
    world_.fail("one waits for longer than queue_timeout");
  }
}

// First come, first served: the queue is in the order of arrival, and nobody is served while an
// earlier one waits.
void Invariants::check_queue(Queue& queue) {
  if (queue.before.empty() && queue.cluster->queue.waiting() == 0) return;
  std::vector<Waiting> after;
  queue.cluster->queue.for_each([&](const upstream::Ticket& ticket) {
    if (!after.empty() && after.back().arrival >= ticket.arrival) {
      world_.fail("the queue is not in the order of arrival");
    }
    check_patience(queue, ticket.arrival);
    after.push_back({ticket.arrival, ticket.tried.size() > 0 || ticket.only != nullptr,
                     ticket.only != nullptr});
  });
  const Counts counted = count(*queue.cluster);
  // Those who left although an earlier one still waits have given up. (Who has tried some servers
  // may have to let others go first.)
  uint64_t overtaken = 0;
  const bool backups = has_backup(*queue.cluster);  // serve those who have tried the others
  bool earlier = false;
  bool stayed = false;
  for (const Waiting& w : queue.before) {
    const auto still = std::find_if(after.begin(), after.end(),
                                    [&](const Waiting& a) { return a.arrival == w.arrival; });
    if (still != after.end()) {
      stayed = stayed || !w.bound;
      // (It may have been refused, and have come back to its place.)
      earlier = earlier || !(w.picky || still->picky || backups);
    } else if (earlier && !(w.picky && some_left_out(*queue.cluster))) {
      ++overtaken;
    }
  }
  const uint64_t gave_up = counted.gave_up - queue.counted.gave_up;
  const bool comparable = counted.generations == queue.counted.generations;
  if (comparable && overtaken > gave_up) {
    world_.fail("the queue was not served in order: %llu left before an earlier one, %llu gave up",
                static_cast<unsigned long long>(overtaken),
                static_cast<unsigned long long>(gave_up));
  }
  if (stayed && comparable && counted.idle_taken > queue.counted.idle_taken) {
    world_.fail("an idle connection was taken past the queue");
  }
  queue.before = std::move(after);
  queue.counted = counted;
}

void Invariants::check_quiet(const Network& network) {
  for (Bound& bound : bounds_) {
    const uint32_t open = network.connections_to(bound.server->address);
    if (open != bound.server->slots.used()) {
      world_.fail("%s: %u slots are out for %u connections", bound.server->name().c_str(),
                  bound.server->slots.used(), open);
    }
  }
  for (const auto& worker : workers_) {
    if (worker->generation() != generation_) return;
  }
  for (const Queue& queue : queues_) check_nobody_waits_in_vain(queue);
  for (Bound& bound : bounds_) check_idle(bound);
}

// What lies idle is what a configuration wants.
void Invariants::check_idle(Bound& bound) {
  const upstream::SharedServer& server = *bound.server;
  int64_t idle = 0;
  uint64_t used = 0;
  uint32_t most = UINT32_MAX;
  for (const auto& worker : workers_) {
    upstream::Cluster* cluster = worker->pools().find(*server.cluster);
    if (cluster == nullptr) continue;
    for (upstream::ServerPool* pool : cluster->servers()) {
      if (&pool->server() != &server) continue;
      idle += pool->stats().connections[stats::UpstreamState::Idle].value();
      for (const stats::AcquireSource source :
           {stats::AcquireSource::Idle, stats::AcquireSource::Handover,
            stats::AcquireSource::Queue}) {
        used += pool->stats().acquisitions[source].value();
      }
      most = cluster->settings().pool.max_idle;
    }
  }
  if (server.retired.load()) {
    if (workers_.size() > 1 && server.idle_total() > 0) {
      world_.fail("%s has left the configuration, and has idle connections", server.name().c_str());
    }
    return;
  }
  if (idle > 0 && server.states.has(upstream::Availability::Draining)) {
    world_.fail("%s drains, and has idle connections", server.name().c_str());
  }
  if (idle > 0 && server.slots.over_limit()) {
    world_.fail("%s: idle connections beyond the limit", server.name().c_str());
  }
  check_surplus(bound, idle, most, used);
}

// What is beyond max_idle, and was not needed for a second, closes: within another second by the
// worker's own timer, and within one more where another worker has to be told.
void Invariants::check_surplus(Bound& bound, int64_t idle, uint32_t most, uint64_t used) {
  const TimePoint now = world_.now();
  const bool surplus = idle > static_cast<int64_t>(most);
  if (!surplus || used != bound.idle_used) bound.surplus_since = TimePoint::max();
  bound.idle_used = used;
  if (!surplus) return;
  bound.surplus_since = std::min(bound.surplus_since, now);
  if (now - bound.surplus_since > kSurplusAtMost) {
    world_.fail("%s: %lld idle connections, %u wanted", bound.server->name().c_str(),
                static_cast<long long>(idle), most);
  }
}

bool Invariants::has_backup(const upstream::SharedCluster& cluster) const {
  return std::any_of(bounds_.begin(), bounds_.end(), [&](const Bound& bound) {
    return bound.server->cluster.get() == &cluster && bound.server->backup.load();
  });
}

// By the rules that users know: a session waits for its server while that may serve; a backup
// serves while no other server may, one that is left out while none is ready, one that drains
// never.
bool Invariants::may_use(const upstream::Ticket& ticket,
                         const upstream::SharedServer& server) const {
  using upstream::Availability;
  if (ticket.tried.contains(&server)) return false;
  if (ticket.only.get() == &server) return true;
  const TimePoint now = world_.now();
  if (ticket.only != nullptr && !ticket.only->retired.load()) {
    const Availability its = ticket.only->availability(now);
    if (its == Availability::Ready || its == Availability::Draining) return false;
  }
  const TimePoint then = now - kTimersMayBeLate;
  // (The end of another one's ejection at its address, with other TLS settings, may have hidden its
  // own: then nobody is told before that is over.)
  if (server.ejector.ejected(then) && !server.states.has(Availability::Ejected)) return false;
  if (server.availability(then) == Availability::Draining) return false;
  const bool left_out = server.left_out(then);
  const bool backup = server.backup.load();
  return std::none_of(bounds_.begin(), bounds_.end(), [&](const Bound& bound) {
    const upstream::SharedServer& other = *bound.server;
    if (other.cluster != server.cluster || other.retired.load() || ticket.tried.contains(&other)) {
      return false;
    }
    const Availability its = other.availability(now);
    const bool first = !other.backup.load();
    if (its == Availability::Ready) return left_out || (backup && first);
    const bool as_bad = its == Availability::Ejected || its == Availability::Unhealthy;
    return left_out && backup && first && as_bad;
  });
}

void Invariants::check_dial(const net::Address& to) const {
  for (const Bound& bound : bounds_) {
    if (bound.server->address == to && bound.server->backup.load()) {
      world_.fail("a connection to a backup, and no other server is unavailable");
    }
  }
}

void Invariants::check_nobody_waits_in_vain(const Queue& queue) {
  // What the main thread has closed at the end of the process wakes nobody: the workers are gone by
  // then.
  if (process_ends_ || queue.cluster->queue.waiting() == 0) return;
  queue.cluster->queue.for_each([&](const upstream::Ticket& ticket) {
    for (const Bound& bound : bounds_) {
      upstream::SharedServer& server = *bound.server;
      if (server.cluster != queue.cluster || server.retired.load() || !may_use(ticket, server)) {
        continue;
      }
      if (!server.slots.has_room()) continue;
      if (!server.backoff.away()) {
        world_.fail("one waits although %s has a free slot", server.name().c_str());
      } else if (server.backoff.begin_trial(world_.now() - kTrialsMayBeLate)) {
        world_.fail("one waits, and nobody tries whether %s is back", server.name().c_str());
      }
    }
    for (const auto& worker : workers_) {
      upstream::Cluster* cluster = worker->pools().find(*queue.cluster);
      if (cluster == nullptr) continue;
      for (upstream::ServerPool* pool : cluster->servers()) {
        if (pool->has_idle() && may_use(ticket, pool->server())) {
          world_.fail("one waits although %s has an idle connection",
                      pool->server().name().c_str());
        }
      }
    }
  });
}

void Invariants::check_end(const stats::Registry& registry) {
  for (const Bound& bound : bounds_) {
    if (bound.server->slots.used() != 0 || bound.server->upgraded.used() != 0) {
      world_.fail("%s: %u slots and %u for upgrades were never given back",
                  bound.server->name().c_str(), bound.server->slots.used(),
                  bound.server->upgraded.used());
    }
    if (bound.server->waiting_for_it != 0) {
      world_.fail("%s: somebody is left who waits for it", bound.server->name().c_str());
    }
  }
  for (const Queue& queue : queues_) {
    if (queue.cluster->queue.waiting() != 0 || queue.cluster->queue.waiting_for_any() != 0) {
      world_.fail("somebody is left in the queue");
    }
  }
  const stats::Snapshot all = registry.snapshot();
  for (const auto& listener : all.listeners) {
    for (const stats::Gauge& gauge : listener.stats->connections) {
      if (gauge.value() != 0)
        world_.fail("a gauge of client connections stays at %lld",
                    static_cast<long long>(gauge.value()));
    }
  }
  for (const auto& server : all.servers) {
    for (const stats::Gauge& gauge : server.stats->connections) {
      if (gauge.value() != 0)
        world_.fail("a gauge of %s stays at %lld", server.address.c_str(),
                    static_cast<long long>(gauge.value()));
    }
  }
  for (const auto& queue : all.queues) {
    if (queue.stats->length.value() != 0)
      world_.fail("the queue's gauge stays at %lld",
                  static_cast<long long>(queue.stats->length.value()));
  }
}

}  // namespace berth::sim
