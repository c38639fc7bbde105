// Who a request comes from, behind the proxies that are trusted.
#pragma once

#include "proxy/exchange/client_stream.h"
#include "proxy/exchange/trusted_proxies.h"
#include "proxy/http/head.h"
#include "proxy/net/address.h"

namespace berth::exchange {

// The peer; behind a trusted one, the last address in X-Forwarded-For that is not itself trusted.
// What stands before something that is no address is not believed. Ports do not count.
net::Address client_address(const http::RequestHead& head, const ClientFacts& client,
                            const TrustedProxies& trusted);

}  // namespace berth::exchange
