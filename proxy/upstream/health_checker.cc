#include "proxy/upstream/health_checker.h"

namespace berth::upstream {

void HealthChecker::apply(const std::vector<ClusterPlan>& plan) {
  std::unordered_map<const SharedServer*, std::unique_ptr<HealthCheck>> before;
  before.swap(checks_);
  for (const ClusterPlan& upstream : plan) {
    if (!upstream.settings->health.enabled) continue;
    for (const std::shared_ptr<SharedServer>& server : upstream.servers) {
      if (const auto known = before.find(server.get()); known != before.end()) {
        known->second->apply(upstream.settings);
        checks_.insert(before.extract(known));
        continue;
      }
      checks_[server.get()] = std::make_unique<HealthCheck>(
          env_, server, upstream.settings, registry_.server(upstream.cluster->name, server->name()),
          observer_);
    }
  }
  for (auto& [server, check] : before) {
    check->stop();
    stopping_.push_back(std::move(check));
  }
  std::erase_if(stopping_, [](const auto& check) { return check->over(); });
}

void HealthChecker::close_all() {
  checks_.clear();
  stopping_.clear();
}

}  // namespace berth::upstream
