#include "tests/bench/load_driver.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tests/bench/fields.h"

namespace berth::bench {
namespace {

constexpr size_t kBufferSize = 256 * 1024;
constexpr uint64_t kMaxFailures = 1000;  // then the phase is given up: the proxy does not work
constexpr size_t kOpeningAtOnce = 64;
constexpr auto kAnswerTimeout = std::chrono::seconds(20);

// What Chrome sends for a fetch() from a page: twelve fields.
std::string make_request(const Target& target) {
  std::string request = target.post_length > 0 ? "POST " : "GET ";
  request += target.path;
  request +=
      " HTTP/1.1\r\n"
      "Host: shop.example.com\r\n"
      "Connection: ";
  request += target.close ? "close" : "keep-alive";
  request += "\r\n";
  request += kBrowserFields;
  if (target.post_length > 0) {
    request += "Content-Type: application/octet-stream\r\nContent-Length: " +
               std::to_string(target.post_length) + "\r\n";
  }
  request += "\r\n";
  request.append(target.post_length, 'x');
  return request;
}

}  // namespace

LoadDriver::LoadDriver(Target target, uint32_t connections)
    : target_(std::move(target)),
      request_(make_request(target_)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(connections),
      buffer_(kBufferSize) {
  address_.sin_family = AF_INET;
  address_.sin_port = htons(target_.port);
  address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

LoadDriver::~LoadDriver() {
  for (Connection& connection : connections_) close(connection);
  ::close(epoll_);
}

Report LoadDriver::run(const Limits& limits) {
  limits_ = limits;
  begin_phase();
  next_to_open_ = connections_.size();
  for (Connection& connection : connections_) start_next(connection);
  wait_for_all();
  return finish_phase();
}

Report LoadDriver::open_idle() {
  limits_ = {.seconds = 0, .requests = connections_.size()};
  begin_phase();
  for (next_to_open_ = 0; next_to_open_ < std::min(kOpeningAtOnce, connections_.size());) {
    start(connections_[next_to_open_++]);
  }
  wait_for_all();
  return finish_phase();
}

void LoadDriver::begin_phase() {
  poll(0);  // notice what was closed since the last phase
  report_ = Report();
  started_ = 0;
  phase_start_ = last_answer_ = Clock::now();
  phase_end_ =
      limits_.seconds > 0
          ? phase_start_ + std::chrono::nanoseconds(static_cast<int64_t>(limits_.seconds * 1e9))
          : Clock::time_point::max();
}

Report LoadDriver::finish_phase() {
  report_.seconds = std::chrono::duration<double>(last_answer_ - phase_start_).count();
  return std::move(report_);
}

bool LoadDriver::phase_is_over(Clock::time_point now) const {
  return now >= phase_end_ || (limits_.requests > 0 && started_ >= limits_.requests) ||
         report_.failures >= kMaxFailures;
}

// Runs until nothing is under way. A silent proxy ends the phase, too.
void LoadDriver::wait_for_all() {
  while (under_way_ > 0) {
    poll(1000);
    const auto now = Clock::now();
    if (now - last_answer_ < kAnswerTimeout) continue;
    for (Connection& connection : connections_) {
      const bool waiting = connection.state != State::Closed && connection.state != State::Idle;
      if (waiting && now - connection.started >= kAnswerTimeout) fail(connection, "no answer");
    }
  }
}

void LoadDriver::poll(int timeout_ms) {
  std::array<epoll_event, 512> events;
  const int count = epoll_wait(epoll_, events.data(), events.size(), timeout_ms);
  for (int i = 0; i < count; ++i) on_event(connections_[events[i].data.u64], events[i].events);
}

void LoadDriver::start_next(Connection& connection) {
  if (!phase_is_over(Clock::now())) start(connection);
}

void LoadDriver::start(Connection& connection) {
  ++under_way_;
  ++started_;
  connection.started = Clock::now();
  connection.sent = 0;
  connection.reader.reset();
  if (connection.state == State::Closed) {
    open(connection);
  } else {
    send_request(connection);
  }
}

void LoadDriver::open(Connection& connection) {
  connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.fd < 0) {
    std::perror("load: socket");
    std::exit(1);
  }
  connection.state = State::Connecting;
  const auto* address = reinterpret_cast<const sockaddr*>(&address_);
  if (connect(connection.fd, address, sizeof address_) != 0 && errno != EINPROGRESS) {
    fail(connection, "connect: " + std::string(std::strerror(errno)));
    return;
  }
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {}};
  event.data.u64 = static_cast<uint64_t>(&connection - connections_.data());
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) {
    std::perror("load: epoll_ctl");
    std::exit(1);
  }
}

void LoadDriver::close(Connection& connection) {
  if (connection.fd >= 0) ::close(connection.fd);
  connection.fd = -1;
  connection.state = State::Closed;
}

void LoadDriver::on_event(Connection& connection, uint32_t events) {
  const bool ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  switch (connection.state) {
    case State::Closed:
      break;
    case State::Connecting:
      if ((events & EPOLLERR) != 0) {
        fail(connection, "connect failed");
      } else if ((events & EPOLLOUT) != 0) {
        send_request(connection);
      }
      break;
    case State::Sending:
      if ((events & EPOLLOUT) != 0) send_request(connection);
      if (connection.state == State::Sending && ((events & EPOLLIN) != 0 || ending)) {
        receive(connection, ending);
      }
      break;
    case State::Receiving:
      if ((events & EPOLLIN) != 0 || ending) receive(connection, ending);
      break;
    case State::Idle:
      if (ending) close(connection);
      break;
  }
}

void LoadDriver::send_request(Connection& connection) {
  connection.state = State::Sending;
  while (connection.sent < request_.size()) {
    const ssize_t sent = send(connection.fd, request_.data() + connection.sent,
                              request_.size() - connection.sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) fail(connection, "send: " + std::string(std::strerror(errno)));
      return;
    }
    connection.sent += static_cast<size_t>(sent);
  }
  connection.state = State::Receiving;
}

void LoadDriver::receive(Connection& connection, bool ending) {
  for (;;) {
    const ssize_t got = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return fail(connection, got == 0 ? "closed without an answer" : "reset");
    const std::string_view bytes(buffer_.data(), static_cast<size_t>(got));
    switch (connection.reader.feed(bytes)) {
      case ResponseReader::Outcome::Malformed:
        return fail(connection, "malformed response");
      case ResponseReader::Outcome::Complete:
        return complete(connection);
      case ResponseReader::Outcome::NeedMore:
        // A read that does not fill the buffer has emptied the socket; more raises a new edge.
        if (bytes.size() < buffer_.size() && !ending) return;
        break;
    }
  }
}

void LoadDriver::complete(Connection& connection) {
  const ResponseReader& reader = connection.reader;
  if (reader.status() != 200) return fail(connection, "status " + std::to_string(reader.status()));
  if (reader.length() != target_.response_length) {
    return fail(connection, "length " + std::to_string(reader.length()));
  }
  if (connection.state == State::Sending) return fail(connection, "answered too early");
  last_answer_ = Clock::now();
  const auto elapsed = last_answer_ - connection.started;
  report_.latency.add(static_cast<uint64_t>(std::chrono::nanoseconds(elapsed).count()));
  ++report_.requests;
  connection.state = State::Idle;
  if (target_.close || reader.says_close()) close(connection);
  finish_request(connection);
}

void LoadDriver::fail(Connection& connection, std::string_view why) {
  if (report_.failures++ == 0) report_.first_failure = why;
  close(connection);
  finish_request(connection);
}

void LoadDriver::finish_request(Connection& connection) {
  --under_way_;
  if (next_to_open_ < connections_.size()) {
    start(connections_[next_to_open_++]);
  } else {
    start_next(connection);
  }
}

}  // namespace berth::bench
