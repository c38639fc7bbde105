// The app server of the benchmarks: one thread, HTTP/1.1 keep-alive without end, answers made in
// advance, so that what is measured is the proxy in front of it.
//
//   origin PORT        GET /small (200 bytes), /64k, /1m; POST / (any length) is read and answered
//
// Prints "ready" when it listens. Anything that it does not expect ends the process with a message,
// so a proxy that mangles requests cannot go unnoticed.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "tests/bench/fields.h"

namespace berth::bench {
namespace {

[[noreturn]] void die(const char* what, std::string_view detail = {}) {
  std::fprintf(stderr, "origin: %s %.*s (%s)\n", what, static_cast<int>(detail.size()),
               detail.data(), std::strerror(errno));
  std::exit(1);
}

std::string make_response(size_t length) {
  std::string response =
      "HTTP/1.1 200 OK\r\n"
      "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n"
      "Content-Type: application/json; charset=utf-8\r\n"
      "Content-Length: " +
      std::to_string(length) +
      "\r\n"
      "ETag: W/\"c8-2Zz9cH0kqFvIh5bC0c7sIYyXv0s\"\r\n"
      "Cache-Control: private, max-age=0, must-revalidate\r\n"
      "Vary: Origin, Accept-Encoding\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "Strict-Transport-Security: max-age=15552000; includeSubDomains\r\n"
      "Connection: keep-alive\r\n"
      "Keep-Alive: timeout=600\r\n"
      "\r\n";
  for (size_t i = 0; i < length; ++i) response += static_cast<char>('a' + i % 26);
  return response;
}

std::string_view response_for(std::string_view method, std::string_view path) {
  static const std::string small = make_response(200);
  static const std::string medium = make_response(64 * 1024);
  static const std::string large = make_response(1024 * 1024);
  if (method == "POST" || path == "/small") return small;
  if (path == "/64k") return medium;
  if (path == "/1m") return large;
  die("unknown path", path);
}

uint64_t content_length_of(std::string_view head) {
  uint64_t length = 0;
  for_each_field(head, [&](std::string_view line) {
    if (value_if(line, "transfer-encoding")) die("unexpected body", head);
    if (const auto value = value_if(line, "content-length")) length = to_number(*value);
  });
  return length;
}

int g_epoll = -1;

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = this}};
    if (epoll_ctl(g_epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False when the connection is over.
  bool on_event(uint32_t events) {
    if (!send_pending()) return false;
    return (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0 || receive(events);
  }

 private:
  bool receive(uint32_t events) {
    static std::array<char, 256 * 1024> buffer;
    const bool ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (;;) {
      const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
      if (got <= 0) return got < 0 && errno == EAGAIN;
      if (!take({buffer.data(), static_cast<size_t>(got)})) return false;
      if (static_cast<size_t>(got) < buffer.size() && !ending) return true;
    }
  }

  bool take(std::string_view bytes) {
    if (!partial_.empty()) {
      partial_.append(bytes);
      const std::string whole = std::move(partial_);
      partial_.clear();
      return consume(whole);
    }
    return consume(bytes);
  }

  bool consume(std::string_view bytes) {
    while (!bytes.empty() || answer_due_) {
      if (answer_due_) {
        const size_t body = std::min<uint64_t>(body_left_, bytes.size());
        bytes.remove_prefix(body);
        body_left_ -= body;
        if (body_left_ > 0) return true;
        answer_due_ = false;
        if (!send_pending()) return false;
        continue;
      }
      const size_t end = bytes.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        partial_ = bytes;
        return true;
      }
      start_request(bytes.substr(0, end + 2));
      bytes.remove_prefix(end + 4);
    }
    return true;
  }

  void start_request(std::string_view head) {
    if (!to_send_.empty()) die("pipelined request", head);
    const size_t method_end = head.find(' ');
    const size_t path_end = head.find(' ', method_end + 1);
    if (path_end == std::string_view::npos) die("bad request", head);
    const std::string_view method = head.substr(0, method_end);
    to_send_ = response_for(method, head.substr(method_end + 1, path_end - method_end - 1));
    body_left_ = method == "GET" ? 0 : content_length_of(head);
    answer_due_ = true;
  }

  // False when the peer is gone.
  bool send_pending() {
    while (!to_send_.empty() && !answer_due_) {
      const ssize_t sent = send(fd_, to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      to_send_.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  int fd_;
  std::string partial_;       // start of a head that came in pieces
  std::string_view to_send_;  // what is left of the response
  uint64_t body_left_ = 0;    // of the request
  bool answer_due_ = false;   // a request has begun whose body is not read to its end
};

int listen_on(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // inherited by what is accepted
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (listen(fd, 65535) != 0) die("listen");
  return fd;
}

void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      new Connection(fd);  // owned by the epoll set; deleted when on_event() says so
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != ECONNABORTED) {
      die("accept");
    }
  }
}

void serve(int listener) {
  g_epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (epoll_ctl(g_epoll, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll_ctl");
  std::array<epoll_event, 512> events;
  for (;;) {
    const int count = epoll_wait(g_epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        accept_all(listener);
      } else if (!connection->on_event(events[i].events)) {
        delete connection;
      }
    }
  }
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  using namespace berth::bench;
  const int port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (port <= 0 || port > 65535) die("usage: origin PORT");
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const int listener = listen_on(static_cast<uint16_t>(port));
  std::puts("ready");
  std::fflush(stdout);
  serve(listener);
}
