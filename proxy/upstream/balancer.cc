#include "proxy/upstream/balancer.h"

#include <algorithm>

#include "proxy/upstream/server_pool.h"

namespace berth::upstream {

namespace {

// How old the other workers' figures may be. Reading them costs cache misses, one for each worker
// and server: under load that is once for many requests.
constexpr Duration kLoadsAge = std::chrono::milliseconds(1);

// The kinds of servers, the best first.
enum class Kind : uint8_t {
  Ready,
  ReadyBackup,
  LeftOut,  // ejected or unhealthy: it may serve all the same
  LeftOutBackup,
  BackingOff,
  BackupBackingOff,
  None,
};

Kind kind_of(const SharedServer& server, TimePoint now) {
  const bool backup = server.backup.load(std::memory_order_relaxed);
  switch (server.availability(now)) {
    case Availability::Ready:
      return backup ? Kind::ReadyBackup : Kind::Ready;
    case Availability::Ejected:
    case Availability::Unhealthy:
      return backup ? Kind::LeftOutBackup : Kind::LeftOut;
    case Availability::BackingOff:
      return backup ? Kind::BackupBackingOff : Kind::BackingOff;
    case Availability::Draining:
      break;
  }
  return Kind::None;
}

// Returns the kind in which a server serves waiters: to them, an idle connection to a server that
// is away is as good as any other.
Kind kind_for_waiters(const SharedServer& server, TimePoint now) {
  const bool backup = server.backup.load(std::memory_order_relaxed);
  if (server.left_out(now)) return backup ? Kind::LeftOutBackup : Kind::LeftOut;
  return backup ? Kind::ReadyBackup : Kind::Ready;
}

// Whether the sessions that a server has stay with it.
bool keeps_sessions(const SharedServer& server, TimePoint now) {
  if (!server.may_serve()) return false;
  switch (server.availability(now)) {
    case Availability::Ready:
    case Availability::Draining:
      return true;
    case Availability::Ejected:
    case Availability::Unhealthy:
    case Availability::BackingOff:
      return false;
  }
  return false;
}

// Those who wait for it alone come first.
bool has_room(const ServerPool& pool) {
  return pool.shared_server()->waiting_for_it.load(std::memory_order_relaxed) == 0 &&
         pool.can_serve_now();
}

}  // namespace

void Balancer::set_servers(const std::vector<ServerPool*>& servers) {
  std::vector<std::unique_ptr<Member>> next;
  next.reserve(servers.size());
  for (ServerPool* pool : servers) {
    const auto known = std::find_if(members_.begin(), members_.end(), [pool](const auto& member) {
      return member != nullptr && member->pool == pool;
    });
    if (known != members_.end()) {
      next.push_back(std::move(*known));
      continue;
    }
    Member& member = *next.emplace_back(std::make_unique<Member>());
    member.pool = pool;
    member.tag = pool->server().tag;
    member.weight = effective_weight(pool->server().weight.load(std::memory_order_relaxed), {}, {});
    rotation_.join(member);
  }
  members_ = std::move(next);
}

Balancer::Choice Balancer::pick(const config::Upstream& settings, const TriedServers& tried,
                                const Affinity& affinity, TimePoint now) {
  if (affinity.sticky) {
    if (Member* member = sticky_server(*affinity.sticky, tried, now)) {
      rotation_.took(*member);
      return {.pool = member->pool, .must_wait = !has_room(*member->pool), .bound = true};
    }
  }
  const bool some_may_serve = gather(tried, now);
  if (candidates_.empty()) return {.must_wait = some_may_serve, .some_away = some_away_};
  Member& member = candidates_.size() == 1 ? static_cast<Member&>(*candidates_.front())
                                           : choose(settings, affinity, now);
  if (members_.size() > 1) rotation_.took(member);
  return {.pool = member.pool,
          .bound = settings.balance == config::Balance::Hash && affinity.key.has_value(),
          .some_away = some_away_};
}

Balancer::Member* Balancer::sticky_server(uint64_t tag, const TriedServers& tried, TimePoint now) {
  for (const auto& member : members_) {
    if (member->tag != tag) continue;
    const SharedServer& server = member->pool->server();
    return !tried.contains(&server) && keeps_sessions(server, now) ? member.get() : nullptr;
  }
  return nullptr;
}

bool Balancer::gather(const TriedServers& tried, TimePoint now) {
  candidates_.clear();
  some_away_ = false;
  Kind best = Kind::None;
  for (const auto& member : members_) {
    const SharedServer& server = member->pool->server();
    if (tried.contains(&server)) continue;
    const Kind kind = kind_of(server, now);
    some_away_ = some_away_ || kind == Kind::BackingOff || kind == Kind::BackupBackingOff;
    if (kind > best || kind == Kind::None) continue;
    if (kind < best) candidates_.clear();
    best = kind;
    if (has_room(*member->pool)) candidates_.push_back(member.get());
  }
  return best != Kind::None;
}

Balancer::Member& Balancer::choose(const config::Upstream& settings, const Affinity& affinity,
                                   TimePoint now) {
  for (Candidate* candidate : candidates_) {
    const SharedServer& server = static_cast<Member*>(candidate)->pool->server();
    candidate->weight = effective_weight(server.weight.load(std::memory_order_relaxed),
                                         now - server.up_since(), settings.slow_start);
  }
  const auto member = [](Candidate& candidate) -> Member& {
    return static_cast<Member&>(candidate);
  };
  switch (settings.balance) {
    case config::Balance::RoundRobin:
      return member(rotation_.next(candidates_));
    case config::Balance::RandomTwo:
      look_at_loads(now);
      return member(better_of_two(candidates_, random_));
    case config::Balance::Hash:
      if (affinity.key) return member(owner_of(*affinity.key, candidates_));
      break;
    case config::Balance::LeastRequests:
      break;
  }
  look_at_loads(now);
  return member(least_loaded(candidates_, rotation_));
}

// This worker's requests are known exactly. Those of the others count too: a server that is stuck
// with their requests is stuck for ours.
void Balancer::look_at_loads(TimePoint now) {
  if (now - loads_of_ >= kLoadsAge) {
    loads_of_ = now;
    for (const auto& member : members_) member->elsewhere = member->pool->active_elsewhere();
  }
  for (Candidate* candidate : candidates_) {
    const Member& member = static_cast<const Member&>(*candidate);
    candidate->load = member.pool->active() + member.elsewhere;
  }
}

bool Balancer::may_grant(const SharedServer& server, const Ticket& ticket, TimePoint now) const {
  if (ticket.tried.contains(&server)) return false;
  if (ticket.only.get() == &server) return true;
  if (ticket.only != nullptr && keeps_sessions(*ticket.only, now)) return false;
  if (server.availability(now) == Availability::Draining) return false;
  // Neither a backup nor a server that is left out takes from full servers.
  const Kind kind = kind_for_waiters(server, now);
  if (kind == Kind::Ready) return true;
  return std::none_of(members_.begin(), members_.end(), [&](const auto& member) {
    const SharedServer& other = member->pool->server();
    return !ticket.tried.contains(&other) && kind_of(other, now) < kind;
  });
}

}  // namespace berth::upstream
