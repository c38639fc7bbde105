// A byte stream to one peer: a socket, a TLS session, or the simulator's memory. Everything above
// net/ sees this only.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "proxy/base/close_reason.h"

namespace berth::net {

enum class IoStatus : uint8_t {
  Ok,
  Again,  // nothing now; readiness will be reported
  Eof,    // read: the peer has shut down its sending side
  Reset,  // the connection is gone
};

struct IoResult {
  IoStatus status = IoStatus::Ok;
  size_t bytes = 0;
};

// What a look at a connection without reading from it shows.
enum class Probe : uint8_t { Quiet, Data, Eof, Reset };

// Reported edge-triggered: once for each change. May be spurious.
struct Ready {
  bool readable = false;
  bool writable = false;
  bool peer_closed = false;  // a FIN has arrived (data may come before it)
};

class TransportHandler {
 public:
  virtual void on_ready(Ready ready) = 0;

 protected:
  ~TransportHandler() = default;
};

// Thread: that of the loop it is attached to. Destroying it closes the connection and ends its
// events.
class Transport {
 public:
  virtual ~Transport() = default;

  // Up to `size` bytes. Fewer than `size` means that the rest of what had arrived is read: no
  // second call is needed before the next readiness, unless peer_closed was reported.
  virtual IoResult read(char* into, size_t size) = 0;
  // As many bytes as the peer's window takes: Ok with fewer than given means that writability will
  // be reported.
  virtual IoResult write(const iovec* parts, int count) = 0;
  virtual void shutdown_write() = 0;
  virtual Probe probe() = 0;

  // After Connector::start(): Again until the connection stands. None when it does, otherwise why
  // it does not.
  struct ConnectResult {
    IoStatus status = IoStatus::Ok;  // Ok, Again, Reset
    CloseReason reason = CloseReason::None;
  };
  virtual ConnectResult finish_connect() = 0;

  // Bytes that the peer has acknowledged, the connection's first included (TCP_INFO); UINT64_MAX
  // where the kernel cannot say.
  virtual uint64_t bytes_acked() const = 0;

  // Close with RST: a response that broke off must not look complete.
  virtual void abort_on_close() = 0;

  // Moves to another worker: detach() on the old one, attach() on the new one. The handler outlives
  // the attachment. Readiness that was there already is reported after attach().
  virtual void detach() = 0;
};

}  // namespace berth::net
