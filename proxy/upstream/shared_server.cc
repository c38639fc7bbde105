#include "proxy/upstream/shared_server.h"

#include <algorithm>

namespace berth::upstream {

Availability SharedServer::look(TimePoint now) const {
  if (states.has(Availability::Draining)) return Availability::Draining;
  if (states.has(Availability::BackingOff)) return Availability::BackingOff;
  if (states.has(Availability::Unhealthy)) return Availability::Unhealthy;
  return ejector.ejected(now) ? Availability::Ejected : Availability::Ready;
}

void SharedServer::eject(const config::Ejection& limits, TimePoint now) {
  ejector.eject(limits, now);
  states.set(Availability::Ejected);
}

bool SharedServer::end_ejection(TimePoint now) {
  const std::lock_guard lock(cluster->ejecting);
  return !ejector.ejected(now) && come_back(now);
}

bool SharedServer::pardon(TimePoint now) {
  const std::lock_guard lock(cluster->ejecting);
  if (ejector.ejected(now)) ejector.pardon(now);
  return come_back(now);
}

bool SharedServer::come_back(TimePoint now) {
  if (!states.clear(Availability::Ejected)) return false;
  came_up(now);
  return true;
}

bool SharedServer::connect_failed(ConnectFailure reason, TimePoint began, TimePoint now,
                                  Trial trial) {
  // It has come back since that connection was begun.
  if (!trial && began < up_since()) return false;
  return backoff.failed(reason, now, std::move(trial));
}

bool SharedServer::connect_succeeded(TimePoint now) {
  if (!seen_alive()) bound->seen_alive.store(true, std::memory_order_relaxed);
  if (!backoff.succeeded()) return false;
  came_up(now);
  return true;
}

}  // namespace berth::upstream
