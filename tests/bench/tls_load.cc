// A client for the TLS benchmark: one thread, blocking sockets, as little work as possible.
//
//   tls_load PORT MODE N PATH SIZE PID,PID
//
// MODE   get       N requests over 32 connections: one is sent on each, then all answers are read
//        full      N connections, one after the other, with full handshakes and a request on each
//        resumed   the same with resumed ones
//        idle      N connections that have made one request each and stay open
// SIZE   bytes in the body of each answer
//
// A tenth of N comes first, unmeasured (none for idle). Prints the CPU time and the resident memory
// of the processes before and after.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/fields.h"
#include "tests/bench/usage.h"

namespace berth::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "tls_load: %s\n", what.c_str());
  std::exit(1);
}

class Client {
 public:
  Client(int port, std::string path, size_t size)
      : port_(port),
        size_(size),
        request_("GET " + std::move(path) + " HTTP/1.1\r\nHost: localhost\r\n" + kBrowserFields) {
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, keep_session);
  }

  SSL* open(bool resume) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port_));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("no connection");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    const bool can_resume = resume && newest_session() != nullptr;
    if (can_resume) SSL_set_session(ssl, SSL_SESSION_dup(newest_session()));
    if (SSL_connect(ssl) != 1) fail("no handshake");
    if (can_resume && SSL_session_reused(ssl) == 0) fail("not resumed");
    return ssl;
  }

  static void close(SSL* ssl) {
    const int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ::close(fd);
  }

  void send_request(SSL* ssl, bool last) {
    const std::string whole = request_ + (last ? "Connection: close\r\n\r\n" : "\r\n");
    if (SSL_write(ssl, whole.data(), static_cast<int>(whole.size())) <= 0) fail("cannot send");
  }

  void read_response(SSL* ssl) {
    size_t received = 0;
    size_t wanted = SIZE_MAX;
    std::string head;
    while (received < wanted) {
      const int got = SSL_read(ssl, block_.data(), static_cast<int>(block_.size()));
      if (got <= 0) fail("connection closed early");
      received += static_cast<size_t>(got);
      if (wanted != SIZE_MAX) continue;
      head.append(block_.data(), static_cast<size_t>(got));
      const size_t end = head.find("\r\n\r\n");
      if (end != std::string::npos) wanted = end + 4 + size_;
    }
    if (!head.starts_with("HTTP/1.1 200") || received != wanted) fail("wrong answer: " + head);
  }

  void get_on_all(const std::vector<SSL*>& connections, int requests) {
    for (int done = 0; done < requests;) {
      const auto batch = std::min(connections.size(), static_cast<size_t>(requests - done));
      for (size_t i = 0; i < batch; ++i) send_request(connections[i], false);
      for (size_t i = 0; i < batch; ++i) read_response(connections[i]);
      done += static_cast<int>(batch);
    }
  }

  void connect_and_get(bool resume, int times) {
    for (int i = 0; i < times; ++i) {
      SSL* ssl = open(resume);
      send_request(ssl, true);
      read_response(ssl);
      close(ssl);
    }
  }

 private:
  static SSL_SESSION*& newest_session() {
    static SSL_SESSION* session = nullptr;
    return session;
  }
  static int keep_session(SSL*, SSL_SESSION* fresh) {
    SSL_SESSION_free(newest_session());
    newest_session() = fresh;
    return 1;
  }

  SSL_CTX* const context_ = SSL_CTX_new(TLS_client_method());
  const int port_;
  const size_t size_;
  const std::string request_;
  std::vector<char> block_ = std::vector<char>(256 * 1024);
};

std::vector<pid_t> parse_pids(const std::string& text) {
  std::vector<pid_t> pids;
  std::istringstream in(text);
  for (std::string pid; std::getline(in, pid, ',');) pids.push_back(std::stoi(pid));
  return pids;
}

// What comes a moment after the last answer belongs to it.
void settle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

template <class F>
void measure(const std::vector<pid_t>& pids, F&& work) {
  settle();
  const Usage before = usage_of(pids);
  work();
  settle();
  const Usage after = usage_of(pids);
  std::printf("{\"cpu_ns\":%lu,\"rss_before\":%lu,\"rss_after\":%lu}\n",
              after.cpu_ns - before.cpu_ns, before.rss_bytes, after.rss_bytes);
}

void run(Client& client, std::string_view mode, int count, const std::vector<pid_t>& pids) {
  constexpr size_t kConnections = 32;
  if (mode == "idle") {
    measure(pids, [&] {
      for (int i = 0; i < count; ++i) {
        SSL* ssl = client.open(false);
        client.send_request(ssl, false);
        client.read_response(ssl);
      }
    });
  } else if (mode == "get") {
    std::vector<SSL*> connections;
    for (size_t i = 0; i < kConnections; ++i) connections.push_back(client.open(false));
    client.get_on_all(connections, count / 10);
    measure(pids, [&] { client.get_on_all(connections, count); });
    for (SSL* ssl : connections) Client::close(ssl);
  } else if (mode == "full" || mode == "resumed") {
    const bool resume = mode == "resumed";
    client.connect_and_get(resume, count / 10 + 1);
    measure(pids, [&] { client.connect_and_get(resume, count); });
  } else {
    fail("no mode " + std::string(mode));
  }
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fputs("usage: tls_load PORT idle|get|full|resumed N PATH SIZE PID,PID\n", stderr);
    return 2;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  berth::bench::Client client(std::atoi(argv[1]), argv[4], std::strtoul(argv[5], nullptr, 10));
  berth::bench::run(client, argv[2], std::atoi(argv[3]), berth::bench::parse_pids(argv[6]));
  return 0;
}
