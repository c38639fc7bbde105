// A client for the TLS benchmark: one thread, blocking sockets, as little work as possible.
//
//   tls_load PORT idle N        opens N connections, one request on each, says "ready", waits for a
//   line tls_load PORT get N SIZE    N requests over 8 connections, each answered with SIZE bytes
//   tls_load PORT full N        N connections with full handshakes, one request on each
//   tls_load PORT resumed N     the same with resumed ones
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

SSL_CTX* context;
SSL_SESSION* session;  // the newest
bool resume;
int resumed;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "tls_load: %s failed\n", what);
  std::exit(1);
}

int keep_session(SSL*, SSL_SESSION* fresh) {
  if (session != nullptr) SSL_SESSION_free(session);
  session = fresh;
  return 1;
}

SSL* open_connection(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if (resume && session != nullptr) SSL_set_session(ssl, SSL_SESSION_dup(session));
  if (SSL_connect(ssl) != 1) fail("handshake");
  if (SSL_session_reused(ssl)) ++resumed;
  return ssl;
}

void close_connection(SSL* ssl) {
  const int fd = SSL_get_fd(ssl);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  ::close(fd);
}

// A request, and all of its response.
void get(SSL* ssl, size_t size, bool last) {
  static std::vector<char> block(256 * 1024);
  const std::string request = "GET /" + std::to_string(size) + " HTTP/1.1\r\nHost: localhost\r\n" +
                              (last ? "Connection: close\r\n\r\n" : "\r\n");
  if (SSL_write(ssl, request.data(), static_cast<int>(request.size())) <= 0) fail("write");
  size_t received = 0;
  size_t wanted = SIZE_MAX;
  std::string head;
  while (received < wanted) {
    const int got = SSL_read(ssl, block.data(), static_cast<int>(block.size()));
    if (got <= 0) fail("read");
    received += static_cast<size_t>(got);
    if (wanted != SIZE_MAX) continue;
    head.append(block.data(), static_cast<size_t>(got));
    const size_t end = head.find("\r\n\r\n");
    if (end != std::string::npos) wanted = end + 4 + size;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) fail("usage: tls_load PORT idle|get|full|resumed N [SIZE]");
  const int port = std::atoi(argv[1]);
  const std::string_view mode = argv[2];
  const int count = std::atoi(argv[3]);
  const size_t size = argc > 4 ? static_cast<size_t>(std::atol(argv[4])) : 100;
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  if (mode == "idle") {
    std::vector<SSL*> connections;
    for (int i = 0; i < count; ++i) {
      connections.push_back(open_connection(port));
      get(connections.back(), size, false);
    }
    std::puts("ready");
    std::fflush(stdout);
    std::getchar();
    return 0;
  }
  if (mode == "get") {
    constexpr int kConnections = 8;
    std::vector<SSL*> connections;
    for (int i = 0; i < kConnections; ++i) connections.push_back(open_connection(port));
    for (int i = 0; i < count; ++i)
      get(connections[static_cast<size_t>(i % kConnections)], size, false);
    for (SSL* ssl : connections) close_connection(ssl);
    return 0;
  }
  resume = mode == "resumed";
  for (int i = 0; i < count; ++i) {
    SSL* ssl = open_connection(port);
    get(ssl, size, true);
    close_connection(ssl);
  }
  if (resume && resumed < count - 1) fail("resumption");
  return 0;
}
