#include "proxy/upstream/balancer.h"

#include "proxy/upstream/server_pool.h"

namespace berth::upstream {

ServerPool* Balancer::pick(config::Balance policy, const std::vector<ServerPool*>& servers,
                           const TriedServers& tried, TimePoint now, bool& must_wait) {
  must_wait = false;
  candidates_.clear();
  const size_t count = servers.size();
  if (count == 0) return nullptr;
  next_ = (next_ + 1) % count;
  ServerPool* backing_off = nullptr;
  for (size_t i = 0; i < count; ++i) {
    ServerPool* pool = servers[(next_ + i) % count];
    if (tried.contains(&pool->server())) continue;
    switch (pool->server().availability(now)) {
      case Availability::Ready:
        if (pool->can_serve_now()) {
          candidates_.push_back(pool);
        } else {
          must_wait = true;
        }
        break;
      case Availability::BackingOff:
        if (backing_off == nullptr || pool->active() < backing_off->active()) backing_off = pool;
        break;
    }
  }
  if (!candidates_.empty()) {
    must_wait = false;
    return choose(policy);
  }
  if (must_wait || backing_off == nullptr) return nullptr;
  if (backing_off->can_serve_now()) return backing_off;
  must_wait = true;
  return nullptr;
}

ServerPool* Balancer::choose(config::Balance policy) {
  switch (policy) {
    case config::Balance::RoundRobin:
      return candidates_.front();
    case config::Balance::RandomTwo: {
      ServerPool* one = candidates_[random_.below(candidates_.size())];
      ServerPool* two = candidates_[random_.below(candidates_.size())];
      return two->active() < one->active() ? two : one;
    }
    case config::Balance::Hash:
    case config::Balance::LeastRequests:
      break;
  }
  ServerPool* least = candidates_.front();
  for (ServerPool* pool : candidates_) {
    if (pool->active() < least->active()) least = pool;
  }
  return least;
}

}  // namespace berth::upstream
