// What a server answers to a WebSocket client's key (RFC 6455 section 4.2.2).
#pragma once

#include <string>
#include <string_view>

namespace berth::net {

// The value of Sec-WebSocket-Accept for this Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

}  // namespace berth::net
