// Where workers get their counters and where the scraper finds them.
//
// Thread: any; every call locks. Called at start and on reload only, never per request.
// Ownership: the caller holds the counters (shared_ptr); the registry remembers them weakly, under their labels.
// A label set vanishes from the metrics when its last holder is gone (a server that left the configuration).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "proxy/stats/stats.h"

namespace berth::stats {

// Values that are no counter of a worker: set by whoever knows them, read at scrape.
struct ServerFacts {
  std::atomic<uint32_t> connections_limit{0};
  std::atomic<bool> up{true};
  std::atomic<int64_t> learned_keepalive_ms{0};
  std::atomic<uint8_t> learned_source{0};  // LearnedSource
  std::atomic<int64_t> keepalive_margin_ms{0};
};
enum class LearnedSource : uint8_t { Config, Hint, Observed };

struct QueueFacts {
  std::atomic<uint32_t> limit{0};
};

class Registry {
 public:
  // A new set of counters for one worker; workers ask once for each label set and keep what they get.
  std::shared_ptr<ListenerStats> listener(const std::string& listener);
  std::shared_ptr<ServerStats> server(const std::string& upstream, const std::string& server);
  std::shared_ptr<QueueStats> queue(const std::string& upstream);
  std::shared_ptr<WorkerStats> worker(uint32_t worker);

  // Shared by all workers: the same object for the same labels.
  std::shared_ptr<ServerFacts> server_facts(const std::string& upstream, const std::string& server);
  std::shared_ptr<QueueFacts> queue_facts(const std::string& upstream);
};

}  // namespace berth::stats
