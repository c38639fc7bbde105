// The health checks of all servers, for all workers.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/stats/registry.h"
#include "proxy/upstream/health_check.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::upstream {

// Thread: one, that of `env`.
class HealthChecker {
 public:
  // `observer` outlives it.
  HealthChecker(net::WorkerEnv& env, stats::Registry& registry, HealthObserver& observer)
      : env_(env), registry_(registry), observer_(observer) {}

  // Checks the servers that the plan says are to be checked, and no others. What is known of those
  // that stay is kept; a server that is no longer checked counts as healthy.
  void apply(const std::vector<ClusterPlan>& plan);
  // Ends all checks and closes their connections at once: the process ends.
  void close_all();

 private:
  net::WorkerEnv& env_;
  stats::Registry& registry_;
  HealthObserver& observer_;
  std::unordered_map<const SharedServer*, std::unique_ptr<HealthCheck>> checks_;
  std::vector<std::unique_ptr<HealthCheck>> stopping_;  // their servers hold a connection yet
};

}  // namespace berth::upstream
