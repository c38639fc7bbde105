#include "proxy/net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace berth::net {

namespace {

void set_int(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

int whole_seconds(Duration d) {
  return static_cast<int>(
      std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(d).count()));
}

}  // namespace

void set_tcp_options(int fd, const config::TcpKeepalive& keepalive) {
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!keepalive.enabled) return;
  set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(keepalive.idle));
  set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(keepalive.interval));
  set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(keepalive.count));
}

}  // namespace berth::net
