#include "proxy/upstream/shared_server.h"

#include <algorithm>

namespace berth::upstream {

Availability SharedServer::look(TimePoint now) const {
  const stats::ServerStates& states = facts->states;
  if (states.has(Availability::Draining)) return Availability::Draining;
  // It shows as backing off until a connection succeeds, and is tried again before that.
  if (backing_off(now)) return Availability::BackingOff;
  if (states.has(Availability::Unhealthy)) return Availability::Unhealthy;
  return ejector.ejected(now) ? Availability::Ejected : Availability::Ready;
}

void SharedServer::eject(const config::Ejection& limits, TimePoint now) {
  ejector.eject(limits, now);
  facts->states.set(Availability::Ejected);
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
  if (!facts->states.clear(Availability::Ejected)) return false;
  came_up(now);
  return true;
}

bool SharedServer::connect_failed(TimePoint now) {
  if (backing_off(now)) return false;
  const uint32_t failures = failures_.fetch_add(1, std::memory_order_relaxed);
  const Duration backoff = std::min(kMaxBackoff, kFirstBackoff * (1 << std::min(failures, 8U)));
  down_until_.store((now + backoff).time_since_epoch().count(), std::memory_order_seq_cst);
  facts->states.set(Availability::BackingOff);
  return true;
}

bool SharedServer::connect_succeeded(TimePoint now) {
  if (failures_.load(std::memory_order_relaxed) == 0 &&
      !facts->states.has(Availability::BackingOff)) {
    return false;
  }
  failures_.store(0, std::memory_order_relaxed);
  down_until_.store(0, std::memory_order_relaxed);
  came_up(now);
  facts->states.clear(Availability::BackingOff);
  return true;
}

}  // namespace berth::upstream
