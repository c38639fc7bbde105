// What the fields of a complete head mean: framing, connection options, Host, Expect, Upgrade. Run
// once, after the syntax of every line has been found right, and driven by a bit set of the fields
// that were seen, so that absent ones cost nothing.
//
// Not forwarded (HeaderField::hop_by_hop) are:
// - Connection, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding and Upgrade (RFC 9110
// section 7.6.1);
// - Proxy-Authenticate and Proxy-Authorization: meant for the next proxy, and Berth is that proxy;
// - every field that a Connection field names, unless it is in the HeaderId table: those are meant
//   for all recipients, so that nobody can strip Host, Cookie, Authorization, Content-Length or
//   X-Forwarded-For by naming them;
// - Content-Length in a 1xx or 204 response (RFC 9110 section 8.6 forbids it), in a
//   chunked one, and where it repeats itself.
// Trailer goes through, since trailers do.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/base/close_reason.h"
#include "proxy/http/head.h"

namespace berth::http {

// Which ids were seen, and which more than once. Two words, so that the parser keeps them in
// registers.
class FieldIndex {
 public:
  static constexpr uint64_t bit(HeaderId id) { return uint64_t{1} << static_cast<unsigned>(id); }
  static_assert(kHeaderIdCount <= 64);

  void add(HeaderId id) {
    repeated_ |= seen_ & bit(id);
    seen_ |= bit(id);
  }
  bool seen(HeaderId id) const { return (seen_ & bit(id)) != 0; }
  bool any(uint64_t bits) const { return (seen_ & bits) != 0; }
  bool repeated(HeaderId id) const { return (repeated_ & bit(id)) != 0; }

 private:
  uint64_t seen_ = 0;
  uint64_t repeated_ = 0;
};

// By its name alone, whatever Connection says.
inline bool is_hop_by_hop(HeaderId id) {
  using enum HeaderId;
  constexpr uint64_t kHopByHop =
      FieldIndex::bit(Connection) | FieldIndex::bit(KeepAlive) | FieldIndex::bit(ProxyConnection) |
      FieldIndex::bit(Te) | FieldIndex::bit(TransferEncoding) | FieldIndex::bit(Upgrade) |
      FieldIndex::bit(ProxyAuthenticate) | FieldIndex::bit(ProxyAuthorization);
  return (kHopByHop & FieldIndex::bit(id)) != 0;
}

// Complete the head's summary, or say why the message is refused; None if it is not.
CloseReason apply_rules(FieldIndex index, RequestHead& head);
CloseReason apply_rules(FieldIndex index, ResponseHead& head);

// Splits the target into head.host and head.path and refuses what a reverse proxy does not serve
// (RFC 9112 section 3.2). TRACE is refused along with CONNECT: it would show a client what the
// proxy has added to its request.
CloseReason apply_target_rules(RequestHead& head);

}  // namespace berth::http
