// Where workers get their counters and where the scraper finds them.
//
// Thread: any; every call locks. Called at start, on reload and at scrape only, never per request.
// Ownership: the caller holds the counters (shared_ptr) and is their only writer; it may outlive
// the registry. A label set is shown while somebody holds counters or facts of it, or while it is
// configured (retain()). Counters whose holder is gone are added to their label's remainder, so
// that no sum goes backwards while the label lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/stats/stats.h"

namespace berth::stats {

// The sums over all workers at one moment.
struct Snapshot {
  struct Listener {
    std::string name;
    std::unique_ptr<ListenerStats> stats;
  };
  struct Server {
    std::string upstream;
    std::string address;
    std::unique_ptr<ServerStats> stats;
    std::shared_ptr<const ServerFacts> facts;  // null: nobody knows any
  };
  struct Route {
    std::string route;
    std::unique_ptr<RouteStats> stats;
  };
  struct Queue {
    std::string upstream;
    std::unique_ptr<QueueStats> stats;
    std::shared_ptr<const QueueFacts> facts;  // null: nobody knows any
  };

  // Each sorted by its labels.
  std::vector<Listener> listeners;
  std::vector<Server> servers;
  std::vector<Queue> queues;
  std::vector<Route> routes;
  std::unique_ptr<WorkerStats> workers = std::make_unique<WorkerStats>();
  size_t worker_count = 0;  // workers that hold counters
};

// The label sets of one configuration.
struct ConfiguredLabels {
  std::vector<std::string> listeners;
  std::vector<std::pair<std::string, std::string>> servers;  // upstream, address
  std::vector<std::string> upstreams;
  std::vector<std::string> routes = {};  // host and path prefix
};

// A listener that a configuration calls by another name than the one before it.
struct ListenerRename {
  std::string from, to;
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A new set of counters for one worker; each asks once for each label set and keeps what it gets.
  std::shared_ptr<ListenerStats> listener(const std::string& listener);
  std::shared_ptr<QueueStats> queue(const std::string& upstream);
  std::shared_ptr<ServerStats> server(const std::string& upstream, const std::string& server);
  std::shared_ptr<RouteStats> route(const std::string& route);
  std::shared_ptr<WorkerStats> worker(uint32_t worker);

  // Shared by all workers: the same object for the same labels, for as long as somebody holds it.
  std::shared_ptr<ServerFacts> server_facts(const std::string& upstream, const std::string& server);
  std::shared_ptr<QueueFacts> queue_facts(const std::string& upstream);

  // What these listeners have counted is theirs under their new label too. All at once, so that two
  // may change places.
  void rename_listeners(const std::vector<ListenerRename>& renames);

  // These label sets, and no others, are shown (at 0 if need be) even while nobody holds their
  // counters. Called with each configuration that takes effect.
  void retain(const ConfiguredLabels& labels);

  // Written by the main thread only. Lives as long as the registry.
  ProcessStats& process() { return process_; }
  const ProcessStats& process() const { return process_; }
  // Written by any thread. Lives as long as the registry.
  SpoolStats& spool() { return spool_; }
  const SpoolStats& spool() const { return spool_; }

  Snapshot snapshot() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  ProcessStats process_;
  SpoolStats spool_;
};

}  // namespace berth::stats
