// The right to use one upstream connection for one request. Move-only: its destructor gives the
// connection back to the pool, or closes it if it is not fit for another request.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "proxy/base/close_reason.h"
#include "proxy/http/method.h"

namespace berth::upstream {

class ResponseHandler;
class SharedServer;
class UpstreamConnection;

// Thread: its worker's. Empty after a move and after the connection has failed.
class Lease {
 public:
  Lease() = default;
  explicit Lease(UpstreamConnection& connection) : connection_(&connection) {}
  Lease(Lease&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { give_back(CloseReason::None); }

  explicit operator bool() const { return connection_ != nullptr; }
  UpstreamConnection* operator->() const { return connection_; }

  // `why_unfit`: None lets the connection's own state decide; any other reason closes it.
  void give_back(CloseReason why_unfit);
  // The connection is gone: it has told its handler.
  void forget() { connection_ = nullptr; }

 private:
  UpstreamConnection* connection_ = nullptr;
};

}  // namespace berth::upstream
