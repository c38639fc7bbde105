#include "proxy/upstream/shared_server.h"

#include <algorithm>

namespace berth::upstream {

void SharedServer::rename(const std::string& to) {
  auto known = std::find(names_.begin(), names_.end(), to);
  if (known == names_.end()) {
    names_.push_front(to);
    known = names_.begin();
  }
  name_.store(&*known, std::memory_order_release);
}

void SharedServer::connect_failed(TimePoint now) {
  // Connects that were under way together fail together: that is one failure.
  if (backing_off(now)) return;
  const uint32_t failures = failures_.fetch_add(1, std::memory_order_relaxed);
  const Duration backoff = std::min(kMaxBackoff, kFirstBackoff * (1 << std::min(failures, 8U)));
  down_until_.store((now + backoff).time_since_epoch().count(), std::memory_order_seq_cst);
  facts->up.store(false, std::memory_order_relaxed);
}

bool SharedServer::connect_succeeded(TimePoint now) {
  if (failures_.load(std::memory_order_relaxed) == 0) return false;
  failures_.store(0, std::memory_order_relaxed);
  down_until_.store(0, std::memory_order_relaxed);
  came_up(now);
  facts->up.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace berth::upstream
