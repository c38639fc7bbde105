// Socket options that both sides share.
#pragma once

#include "proxy/config/config.h"

namespace berth::net {

// TCP_NODELAY and SO_KEEPALIVE with its times; nothing on Unix sockets. Errors are ignored: a
// connection without them works.
void set_tcp_options(int fd, const config::TcpKeepalive& keepalive);

}  // namespace berth::net
