#include "proxy/upstream/lease.h"

#include "proxy/upstream/upstream_connection.h"

namespace berth::upstream {

void Lease::give_back(CloseReason why_unfit) {
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->give_back(why_unfit);
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back(CloseReason::None);
    connection_ = std::exchange(other.connection_, nullptr);
  }
  return *this;
}

}  // namespace berth::upstream
