// Which server a request wants: from its sticky cookie, or the key that its upstream is balanced
// by.
#pragma once

#include <string>

#include "proxy/config/config.h"
#include "proxy/exchange/client_stream.h"
#include "proxy/exchange/trusted_proxies.h"
#include "proxy/http/head.h"
#include "proxy/upstream/affinity.h"

namespace berth::exchange {

inline bool wants_affinity(const config::Upstream& upstream) {
  return upstream.balance == config::Balance::Hash || !upstream.sticky.cookie.empty();
}

// Nothing where the upstream does not ask, or where the request lacks what it asks for.
upstream::Affinity affinity_of(const http::RequestHead& head, const config::Upstream& upstream,
                               const ClientFacts& client, const TrustedProxies& trusted);

// Whether the client came over TLS, to us or to a trusted proxy in front.
bool came_over_tls(const http::RequestHead& head, const ClientFacts& client);

// The value of Set-Cookie that brings a client back to the server with this tag. `secure`: the
// client came over TLS.
std::string sticky_cookie(const config::Sticky& sticky, uint64_t server_tag, bool secure);

}  // namespace berth::exchange
