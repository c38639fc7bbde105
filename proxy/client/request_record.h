// What is counted and logged of every request, whatever the protocol that it came over.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/time.h"
#include "proxy/exchange/exchange.h"
#include "proxy/http/method.h"
#include "proxy/net/transport.h"
#include "proxy/stats/stats.h"

namespace berth::client {

class Connection;

struct RequestFacts {
  http::Method method;
  uint16_t status;  // what the client was sent
  uint32_t number;  // of the request on its connection, from 1
  stats::Protocol protocol;
  std::string_view protocol_text;  // for the log: "HTTP/1.0"
  TimePoint began;
  int64_t began_wall_us;
  TimePoint ended = {};  // none: now
  uint64_t received;     // bytes of the request, its head included
  uint64_t sent;         // bytes of the response, its head included
  uint64_t body_sent;    // bytes of its body, without framing
};

// The status of a request whose client left before it was answered.
inline constexpr uint16_t kClientClosedRequest = 499;

// Counts a request that has come to its end, and gives it to the access log.
// `security`: of the client's connection; nullptr: no TLS.
void finish_request(const Connection& connection, const net::Security* security,
                    const exchange::Exchange& exchange, const RequestFacts& facts);

}  // namespace berth::client
