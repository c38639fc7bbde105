// Drives a set of client connections over one epoll set. Single-threaded.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/histogram.h"
#include "tests/bench/response_reader.h"

namespace berth::bench {

using Clock = std::chrono::steady_clock;

// What is asked, on 127.0.0.1.
struct Target {
  uint16_t port = 0;
  std::string path = "/small";
  uint64_t response_length = 200;
  uint64_t post_length = 0;  // 0: GET
  bool close = false;        // a new connection for each request
};

// A phase ends when either is reached; what is under way then is waited for.
struct Limits {
  double seconds = 0;     // 0: no limit
  uint64_t requests = 0;  // 0: no limit
};

struct Report {
  uint64_t requests = 0;  // answered as expected
  uint64_t failures = 0;
  std::string first_failure;
  double seconds = 0;  // from the first request to the last answer
  Histogram latency;
};

class LoadDriver {
 public:
  LoadDriver(Target target, uint32_t connections);
  ~LoadDriver();
  LoadDriver(const LoadDriver&) = delete;
  LoadDriver& operator=(const LoadDriver&) = delete;

  // One phase. Connections stay open from phase to phase.
  Report run(const Limits& limits);

  // Opens all connections, a few at a time, with one request on each, and keeps them open.
  Report open_idle();

 private:
  enum class State : uint8_t { Closed, Connecting, Sending, Receiving, Idle };

  struct Connection {
    int fd = -1;
    State state = State::Closed;
    size_t sent = 0;
    Clock::time_point started;
    ResponseReader reader;
  };

  void begin_phase();
  Report finish_phase();
  void start(Connection& connection);
  void open(Connection& connection);
  void close(Connection& connection);
  void on_event(Connection& connection, uint32_t events);
  void send_request(Connection& connection);
  void receive(Connection& connection, bool ending);
  void complete(Connection& connection);
  void fail(Connection& connection, std::string_view why);
  void finish_request(Connection& connection);
  void start_next(Connection& connection);
  void poll(int timeout_ms);
  void wait_for_all();
  [[nodiscard]] bool phase_is_over(Clock::time_point now) const;

  Target target_;
  std::string request_;
  sockaddr_in address_{};
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;

  Limits limits_;
  Report report_;
  Clock::time_point phase_start_;
  Clock::time_point phase_end_;
  Clock::time_point last_answer_;
  uint64_t started_ = 0;
  uint32_t under_way_ = 0;
  size_t next_to_open_ = 0;  // open_idle(): connections before it have been started
};

}  // namespace berth::bench
