// What one connection, one request and one server cost in memory, beside their buffers. A number
// here may fall; whoever lets one grow says in the commit what for.
#include <gtest/gtest.h>

#include "proxy/client/active_exchange.h"
#include "proxy/client/client_connection.h"
#include "proxy/client/http2_connection.h"
#include "proxy/client/http2_request.h"
#include "proxy/exchange/exchange.h"
#include "proxy/net/socket_transport.h"
#include "proxy/net/tls_transport.h"
#include "proxy/upstream/draining_connection.h"
#include "proxy/upstream/server_pool.h"
#include "proxy/upstream/upstream_connection.h"
#include "proxy/upstream/waiter.h"

namespace berth {
namespace {

struct Size {
  const char* name;
  size_t now, most;
};

TEST(ObjectSizes, DoNotGrow) {
  const Size kSizes[] = {
      {"ClientConnection", sizeof(client::ClientConnection), 336},
      {"ActiveExchange", sizeof(client::ActiveExchange), 1096},
      {"Http2Connection", sizeof(client::Http2Connection), 984},
      {"Http2Request", sizeof(client::Http2Request), 1336},
      {"Exchange", sizeof(exchange::Exchange), 904},
      {"SocketTransport", sizeof(net::SocketTransport), 184},
      {"TlsTransport", sizeof(net::TlsTransport), 264},
      {"UpstreamConnection", sizeof(upstream::UpstreamConnection), 408},
      {"DrainingConnection", sizeof(upstream::DrainingConnection), 200},
      {"Waiter", sizeof(upstream::Waiter), 104},
      {"Ticket", sizeof(upstream::Ticket), 120},
      {"ServerPool", sizeof(upstream::ServerPool), 296},
  };
  for (const Size& size : kSizes) EXPECT_LE(size.now, size.most) << size.name;
}

}  // namespace
}  // namespace berth
