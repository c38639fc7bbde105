#include "tests/sim/holder_check.h"

#include <algorithm>

#include "proxy/exchange/holders.h"

namespace berth::sim {

bool HolderCheck::applies() const {
  const Scenario& s = site_.scenario;
  return s.servers == 1 && s.upstreams == 1 && s.reloads == 0 && s.restarts == 0 && s.sleeps == 0 &&
         s.by_hand == 0 && s.server.polite && !s.upstream.health.enabled &&
         s.upstream.sticky.cookie.empty() && s.upstream.pool.rest_timeout && !site_.draining;
}

void HolderCheck::look(const std::deque<ServerModel>& servers, size_t waiting) {
  const Scenario& s = site_.scenario;
  if (waiting == 0 || !applies()) {
    waiting_since_ = TimePoint::max();
    return;
  }
  const TimePoint now = site_.world.now();
  waiting_since_ = std::min(waiting_since_, now);
  // One is ended at each look, and its connection takes its time to close.
  const auto looks = static_cast<int64_t>(s.upstream.pool.max_connections + 3);
  const Duration travel = s.client_link.most_delay + s.server_link.most_delay;
  const Duration allowed = *s.upstream.pool.rest_timeout + looks * exchange::Holders::kLook +
                           4 * s.most_lag + 4 * travel + 2 * s.most_mail_delay + 100ms;
  if (now - waiting_since_ <= allowed) return;
  for (const ServerModel& server : servers) {
    const TimePoint since = server.rests_since();
    if (since == TimePoint::max() || now - since <= allowed) continue;
    site_.world.fail("%zu wait, and for %.3f s nothing has moved on a connection to %s", waiting,
                     to_seconds(now - since), server.name().c_str());
  }
}

}  // namespace berth::sim
