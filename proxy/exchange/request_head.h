// The head that a server is sent: the client's, less what is between client and proxy, plus what
// the proxy has to say.
#pragma once

#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/exchange/client_stream.h"
#include "proxy/exchange/request_filter.h"
#include "proxy/http/head.h"
#include "proxy/net/byte_buffer.h"

namespace berth::exchange {

struct ForwardedHead {
  net::ByteBuffer bytes;  // the head; behind it what the access log will ask for
  size_t head_size = 0;
  // Views into `bytes`.
  std::string_view request_id;  // "" if switched off, or if a rule of the route took it over
  std::string_view method;
  std::string_view target;  // as received
  std::string_view host;
  std::string_view user_agent;
  std::string_view referer;
  std::string_view client_ip;  // whom a trusted proxy sent it for; "": no such word

  std::string_view head() const { return bytes.view().substr(0, head_size); }
};

struct ForwardingRules {
  const config::Forwarding& forwarding;
  const config::HeaderRules& headers;    // the route's
  std::string_view upstream;             // its name: Host for an HTTP/1.0 request that has none
  std::string_view fresh_id;             // a new request id
  std::string_view instance = {};        // this process in Via; "": none
  const RequestFilter& filter;           // the route's, for this client
  const net::Address* client = nullptr;  // behind a trusted proxy, for the log; nullptr: its peer
  bool expect = false;                   // the server itself is to answer Expect: 100-continue
};

// Hop-by-hop fields are gone; X-Forwarded-*, Forwarded and X-Request-Id are Berth's own unless the
// client is trusted, so that nobody can forge or strip them; then the route's rules apply.
// `upgrade`: Connection and Upgrade are carried.
ForwardedHead forward_head(const http::RequestHead& head, size_t received_size,
                           const ClientFacts& client, const ForwardingRules& rules, bool upgrade);

// Whether a route's rules replace or remove a field of this name (as name_set.h compares them).
bool overridden(const config::HeaderRules& rules, std::string_view name);

}  // namespace berth::exchange
