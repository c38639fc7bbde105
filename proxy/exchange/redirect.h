// redirect_to_https: where a request for plain HTTP is sent instead.
#pragma once

#include <cstdint>
#include <string>

#include "proxy/http/head.h"

namespace berth::exchange {

// "https://HOST[:PORT]/PATH?QUERY", for a request that has a host. `port` 443 is left out.
std::string https_location(const http::RequestHead& head, uint32_t port);

}  // namespace berth::exchange
