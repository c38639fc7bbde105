// A listener whose clients are played by the test, byte by byte, in front of servers that it plays
// too.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/client/client_listener.h"
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::client {

using namespace std::chrono_literals;

// One end of a connection, whoever holds it.
using Side = net::FakePeer;

// One line of the access log.
struct Logged {
  std::string method, target, protocol, client;
  uint16_t status = 0;
  uint64_t received = 0;
  uint64_t sent = 0;
  CloseReason reason = CloseReason::None;
};

class NotingLog final : public exchange::AccessLogSink {
 public:
  void log(const exchange::AccessRecord& record) override {
    lines.push_back({.method = std::string(record.method),
                     .target = std::string(record.target),
                     .protocol = std::string(record.protocol),
                     .client = std::string(record.client),
                     .status = record.status,
                     .received = record.received_bytes,
                     .sent = record.sent_bytes,
                     .reason = record.reason});
  }
  void flush() override {}
  std::vector<Logged> lines;
};

class ClientInMemory : public exchange::ProxyInMemory {
 protected:
  ~ClientInMemory() override { listener_.reset(); }

  // Before the first client.
  config::Listener& listener_settings() { return settings_; }
  ClientListener& listener();
  stats::ListenerStats& counted() { return *stats_; }
  uint64_t closed(CloseReason reason) { return stats_->connections_closed[reason].value(); }
  uint64_t refused(CloseReason reason) { return stats_->requests_refused[reason].value(); }
  int64_t now_in(stats::ClientState state) { return stats_->connections[state].value(); }

  // A client connects; `bytes`: what it sends at once.
  void connect(std::string_view bytes);
  // It sends, and the turn ends.
  void send(std::string_view bytes);
  // It sends; the turn goes on.
  void send_in_this_turn(std::string_view bytes);
  // The server's bytes; the turn goes on.
  void say_in_this_turn(size_t server, std::string_view bytes);
  void shut_down_sending();
  void client_ready(net::Ready what);
  // It takes so many bytes more, and acknowledges what it takes.
  void take(size_t bytes);
  Side& client() { return *client_; }

  NotingLog log;

 private:
  config::Listener settings_;
  std::shared_ptr<stats::ListenerStats> stats_ = std::make_shared<stats::ListenerStats>();
  std::unique_ptr<ClientListener> listener_;
  std::vector<std::unique_ptr<Side>> sides_;  // outlive their transports
  Side* client_ = nullptr;                    // the newest
};

}  // namespace berth::client
