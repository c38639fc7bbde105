#include "proxy/stats/registry.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "proxy/stats/merge.h"

namespace berth::stats {
namespace {

struct NoFacts {};

// All that is known under one label set. The sum is exact at every moment: a holder's counters are
// either in `live` or, once it let go of them, in `remainder`, and the lock makes that one step.
// Gauges are folded as well: those of one worker may be negative, and only the sum over all that
// ever counted means something.
template <class Stats, class Facts = NoFacts>
struct Entry {
  Stats remainder;
  std::vector<Stats*> live;
  std::weak_ptr<Facts> facts;
  bool retained = false;

  bool dead() const { return live.empty() && !retained && facts.expired(); }

  std::unique_ptr<Stats> sum() const {
    auto total = std::make_unique<Stats>();
    merge(*total, remainder);
    for (const Stats* one : live) merge(*total, *one);
    return total;
  }
};

using ServerKey = std::pair<std::string, std::string>;  // upstream, address

template <class Entries>
void drop_dead(Entries& entries) {
  std::erase_if(entries, [](const auto& item) { return item.second.dead(); });
}

template <class Entries, class Keys>
void retain_only(Entries& entries, const Keys& keys) {
  for (auto& [key, entry] : entries) entry.retained = false;
  for (const auto& key : keys) entries[key].retained = true;
  drop_dead(entries);
}

}  // namespace

struct Registry::State {
  mutable std::mutex mutex;
  std::map<std::string, Entry<ListenerStats>> listeners;
  std::map<ServerKey, Entry<ServerStats, ServerFacts>> servers;
  std::map<std::string, Entry<QueueStats, QueueFacts>> queues;
  std::map<std::string, Entry<RouteStats>> routes;
  std::map<uint32_t, Entry<WorkerStats>> workers;

  // In add() and share(), whatever a deleter may run for is declared before the lock, so that it
  // runs after it. A deleter finds its entry by what it holds: a listener's label may have changed.

  // New counters in the entry under `key`. They are folded into its remainder when their holder
  // lets go of them.
  template <class Stats, class Entries>
  static std::shared_ptr<Stats> add(const std::shared_ptr<State>& state, Entries State::*entries,
                                    const typename Entries::key_type& key) {
    std::shared_ptr<Stats> stats(new Stats, [weak = std::weak_ptr(state), entries](Stats* gone) {
      const std::unique_ptr<Stats> owned(gone);
      if (const auto home = weak.lock()) home->fold(*home.*entries, gone);
    });
    std::lock_guard lock(state->mutex);
    (*state.*entries)[key].live.push_back(stats.get());
    return stats;
  }

  template <class Stats, class Entries>
  void fold(Entries& entries, Stats* gone) {
    std::lock_guard lock(mutex);
    for (auto& [key, entry] : entries) {
      if (std::erase(entry.live, gone) > 0) merge(entry.remainder, *gone);
    }
    drop_dead(entries);
  }

  // The facts under `key`; new ones if nobody holds any.
  template <class Facts, class Entries>
  static std::shared_ptr<Facts> share(const std::shared_ptr<State>& state, Entries State::*entries,
                                      const typename Entries::key_type& key) {
    std::shared_ptr<Facts> facts(new Facts, [weak = std::weak_ptr(state), entries](Facts* gone) {
      std::unique_ptr<Facts>(gone).reset();
      const auto home = weak.lock();
      if (home == nullptr) return;
      std::lock_guard drop_lock(home->mutex);
      drop_dead(*home.*entries);
    });
    std::lock_guard lock(state->mutex);
    auto& entry = (*state.*entries)[key];
    if (auto known = entry.facts.lock()) return known;
    entry.facts = facts;
    return facts;
  }
};

Registry::Registry() : state_(std::make_shared<State>()) {}
Registry::~Registry() = default;

std::shared_ptr<ListenerStats> Registry::listener(const std::string& listener) {
  return State::add<ListenerStats>(state_, &State::listeners, listener);
}

std::shared_ptr<ServerStats> Registry::server(const std::string& upstream,
                                              const std::string& server) {
  return State::add<ServerStats>(state_, &State::servers, ServerKey{upstream, server});
}

std::shared_ptr<QueueStats> Registry::queue(const std::string& upstream) {
  return State::add<QueueStats>(state_, &State::queues, upstream);
}

std::shared_ptr<RouteStats> Registry::route(const std::string& route) {
  return State::add<RouteStats>(state_, &State::routes, route);
}

std::shared_ptr<WorkerStats> Registry::worker(uint32_t worker) {
  auto stats = State::add<WorkerStats>(state_, &State::workers, worker);
  std::lock_guard lock(state_->mutex);
  state_->workers[worker].retained = true;  // its numbers are the process's: they outlive it
  return stats;
}

std::shared_ptr<ServerFacts> Registry::server_facts(const std::string& upstream,
                                                    const std::string& server) {
  return State::share<ServerFacts>(state_, &State::servers, ServerKey{upstream, server});
}

std::shared_ptr<QueueFacts> Registry::queue_facts(const std::string& upstream) {
  return State::share<QueueFacts>(state_, &State::queues, upstream);
}

void Registry::rename_listeners(const std::vector<ListenerRename>& renames) {
  std::lock_guard lock(state_->mutex);
  auto& listeners = state_->listeners;
  std::vector<std::map<std::string, Entry<ListenerStats>>::node_type> moving;
  for (const ListenerRename& rename : renames) {
    auto node = listeners.extract(rename.from);
    if (node.empty()) continue;
    node.key() = rename.to;
    moving.push_back(std::move(node));
  }
  for (auto& node : moving) {
    const auto inserted = listeners.insert(std::move(node));
    if (inserted.inserted) continue;
    // One that has left the configuration still has connections under that name.
    auto& there = inserted.position->second;
    const auto& come = inserted.node.mapped();
    merge(there.remainder, come.remainder);
    there.live.insert(there.live.end(), come.live.begin(), come.live.end());
  }
}

void Registry::retain(const ConfiguredLabels& labels) {
  std::lock_guard lock(state_->mutex);
  retain_only(state_->listeners, labels.listeners);
  retain_only(state_->servers, labels.servers);
  retain_only(state_->queues, labels.upstreams);
  retain_only(state_->routes, labels.routes);
}

Snapshot Registry::snapshot() const {
  Snapshot all;
  std::lock_guard lock(state_->mutex);
  for (const auto& [name, entry] : state_->listeners) all.listeners.push_back({name, entry.sum()});
  for (const auto& [key, entry] : state_->servers) {
    all.servers.push_back({key.first, key.second, entry.sum(), entry.facts.lock()});
  }
  for (const auto& [name, entry] : state_->queues) {
    all.queues.push_back({name, entry.sum(), entry.facts.lock()});
  }
  for (const auto& [route, entry] : state_->routes) all.routes.push_back({route, entry.sum()});
  for (const auto& [id, entry] : state_->workers) {
    merge(*all.workers, *entry.sum());
    if (!entry.live.empty()) ++all.worker_count;
  }
  return all;
}

}  // namespace berth::stats
