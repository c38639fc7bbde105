// A byte stream to one peer: a socket, a TLS session, or the simulator's memory. Everything above
// net/ sees this only.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/net/address.h"
#include "proxy/net/tls_terms.h"

namespace berth::net {

class MemoryAccount;

enum class IoStatus : uint8_t {
  Ok,
  Again,  // nothing now; readiness will be reported
  Eof,    // read: the peer has shut down its sending side
  Reset,  // the connection is gone
};

struct IoResult {
  constexpr IoResult() = default;
  constexpr IoResult(IoStatus s, size_t n, bool m = false) : status(s), more(m), bytes(n) {}

  IoStatus status = IoStatus::Ok;
  bool more = false;  // read: not all that had arrived is read, as far as is known
  size_t bytes = 0;
};
static_assert(sizeof(IoResult) <= 16);  // returned in registers

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

// What a TLS handshake has settled.
struct Security {
  enum class Version : uint8_t { Tls12, Tls13 };
  enum class Protocol : uint8_t { Http1, Http2 };  // by ALPN; Http1 where none was negotiated

  Version version = Version::Tls13;
  Protocol protocol = Protocol::Http1;
  bool resumed = false;
  std::string peer_subject;  // of the peer's verified certificate (RFC 2253); "": it sent none
  std::string server_name;   // that the client asked for (SNI); "": none
  TlsTerms terms;
};

// Thread: that of the loop it is attached to. Destroying it closes the connection and ends its
// events.
class Transport {
 public:
  virtual ~Transport() = default;

  // Up to `size` bytes. Without `more`, the rest of what had arrived is read: no second call is
  // needed before the next readiness, unless peer_closed was reported.
  virtual IoResult read(char* into, size_t size) = 0;
  // As many bytes as the peer's window takes: Ok with fewer than given means that writability will
  // be reported. The rest must be offered again, unchanged and before anything else: TLS may have
  // encrypted it already.
  virtual IoResult write(const iovec* parts, int count) = 0;
  // What read() would yield, or a part of it, without taking it.
  virtual IoResult peek(char* into, size_t size) = 0;
  // Ends our side: over TLS close_notify, then FIN, behind what is unsent. May be called in any
  // state, and again.
  virtual void shutdown_write() = 0;
  virtual Probe probe() = 0;

  // Again until the connection stands, TLS handshake included; called at every readiness until
  // then. Reset: why it does not stand.
  struct ConnectResult {
    IoStatus status = IoStatus::Ok;  // Ok, Again, Reset
    CloseReason reason = CloseReason::None;
  };
  virtual ConnectResult finish_connect() = 0;

  // Bytes that the peer has acknowledged, the connection's first included (TCP_INFO); UINT64_MAX
  // where the kernel cannot say.
  virtual uint64_t bytes_acked() const = 0;

  // What the handshake has settled, once the connection stands; nullptr without TLS.
  virtual const Security* security() const { return nullptr; }

  // Why a server refused us, or we refused it, over TLS, for people; "": nothing more is known than
  // finish_connect() or refused() says.
  virtual std::string_view failure_detail() const { return {}; }
  // Read says Reset because the server, the handshake being over, does not take our certificate
  // after all (TLS 1.3); None: for another reason.
  virtual CloseReason refused() const { return CloseReason::None; }

  // Read and write say Reset because the peer broke the rules of TLS, not because it reset.
  virtual bool peer_broke_rules() const { return false; }

  // Our end's; None where that is not known.
  virtual Address local_address() const { return {}; }

  // From now on `handler` is told, on the same loop. What had been reported to the one before is
  // not reported again.
  virtual void hand_to(TransportHandler& handler) = 0;

  // Whose memory its buffers are from now on; nullptr: nobody's.
  virtual void charge_to(MemoryAccount*) {}

  // The one at the bottom, whose events the loop knows.
  virtual Transport& lowest() { return *this; }

  // Close with RST: a response that broke off must not look complete.
  virtual void abort_on_close() = 0;

  // Moves to another worker: detach() on the old one, attach() on the new one. The handler outlives
  // the attachment. Readiness that was there already is reported after attach().
  virtual void detach() = 0;
};

}  // namespace berth::net
