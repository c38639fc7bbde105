// One worker without sockets or a clock: exchanges whose clients and servers are played by the
// test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proxy/exchange/exchange.h"
#include "proxy/http/head_parser.h"
#include "proxy/net/network.h"
#include "proxy/upstream/worker_pools.h"
#include "tests/unit/net/fake_transport.h"

namespace berth::exchange {

using namespace std::chrono_literals;

// A connection to a server, as the server sees it.
using ServerSide = net::FakePeer;

class FakeNetwork final : public net::Network {
 public:
  Result<std::unique_ptr<net::Transport>, CloseReason> connect(
      const net::Address& to, const net::ConnectOptions&, net::TransportHandler& handler) override {
    if (!refusals.empty()) {
      const CloseReason reason = refusals.front();
      refusals.pop_front();
      if (reason != CloseReason::None) return Failure{reason};
    }
    connections.push_back(std::make_unique<ServerSide>());
    connections.back()->address = to;
    connections.back()->lets_go = true;
    connections.back()->handler = &handler;
    return std::unique_ptr<net::Transport>(
        std::make_unique<net::FakeTransport>(*connections.back()));
  }
  bool attach(net::Transport&, net::TransportHandler&) override { return true; }

  std::vector<std::unique_ptr<ServerSide>> connections;
  std::deque<CloseReason> refusals;  // of the next connect() calls; None: goes on
};

// What a client has been sent.
class FakeClient final : public ClientStream {
 public:
  void send_continue() override {
    EXPECT_FALSE(done());
    ++continues;
  }
  void send_interim(const http::ResponseHead& head) override { interims.push_back(head.status); }
  void send_head(const ResponseStart& start) override {
    ++heads;
    status = start.head.status;
    framing = start.framing.kind;
    rules = &start.rules;
    set_cookie = start.set_cookie;
    fields.clear();
    for (const http::HeaderField& field : start.head.fields) {
      fields += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
    send_body(start.body, start.complete, start.trailers);
    if (on_head) on_head();
  }
  void send_body(std::string_view bytes, bool complete, std::string_view trailer_lines) override {
    EXPECT_FALSE(done());
    EXPECT_FALSE(body_complete);
    body += bytes;
    body_complete = complete;
    trailers += trailer_lines;
  }
  void send_local(const LocalResponse& response) override {
    EXPECT_FALSE(done());
    ++locals;
    status = response.status();
    reason = response.reason;
    request_id = response.request_id;
  }
  void send_upgrade(const http::ResponseHead& head, std::string_view own_cookie) override {
    set_cookie = own_cookie;
    status = head.status;
    upgraded = true;
  }
  size_t unsent() const override { return not_taken; }
  uint64_t taken() const override { return body.size() - std::min(not_taken, body.size()); }
  bool must_wait_for_memory() override { return memory_short; }
  bool memory_refused() const override { return memory_refused_now; }
  void response_complete() override {
    EXPECT_FALSE(done());
    ++completions;
  }
  void abort(CloseReason why) override {
    EXPECT_FALSE(done());
    aborted = why;
  }
  void pause_request_body() override {
    EXPECT_FALSE(paused);
    paused = true;
    ++pauses;
  }
  void resume_request_body() override {
    EXPECT_TRUE(paused);
    paused = false;
  }

  bool done() const { return completions > 0 || aborted != CloseReason::None; }

  std::vector<uint16_t> interims;
  int continues = 0;
  int heads = 0;
  int locals = 0;
  int completions = 0;
  int pauses = 0;
  uint16_t status = 0;
  http::BodyKind framing = http::BodyKind::None;
  const config::HeaderRules* rules = nullptr;
  std::string fields;
  std::string set_cookie;  // Berth's own
  std::string body;
  std::string trailers;
  std::string request_id;
  bool body_complete = false;
  bool upgraded = false;
  bool paused = false;
  CloseReason reason = CloseReason::None;
  CloseReason aborted = CloseReason::None;
  size_t not_taken = 0;
  std::function<void()> on_head;  // at the end of send_head()
  bool memory_short = false;
  bool memory_refused_now = false;
};

// A client with its exchange.
struct Call {
  explicit Call(Context& context, stats::ListenerStats& stats)
      : exchange(context, client, {.peer = peer, .stats = stats}) {}

  const net::Address peer = *net::Address::parse("192.0.2.7:50000");
  FakeClient client;
  Exchange exchange;
};

class ProxyInMemory : public testing::Test {
 protected:
  ProxyInMemory() {
    time_.set_now(TimePoint(1000s));
    config::Upstream& app = config.upstreams.emplace_back();
    app.name = "app";
    app.servers = {{"10.0.0.1:3000"}};
    config.routes.emplace_back().upstream = "app";
  }
  ~ProxyInMemory() override {
    // Exchanges go before the pools, as in a worker.
    calls_.clear();
    context.router = {};
    pools.close_all();
    for (const auto& connection : network.connections) EXPECT_TRUE(connection->closed);
    for (const auto& server : servers) EXPECT_EQ(server->slots.used(), 0u);
  }

  config::Upstream& settings() { return config.upstreams.front(); }
  config::Pool& pool() { return settings().pool; }

  // Puts `config` in effect. The first call of every test.
  void apply() {
    const auto snapshot = config::make_snapshot(config, 1, "", {});
    const config::Upstream& app = snapshot->config.upstreams.front();
    if (servers.empty()) {
      cluster_ = std::make_shared<upstream::SharedCluster>();
      cluster_->name = app.name;
      for (const config::Server& server : app.servers) {
        servers.push_back(std::make_shared<upstream::SharedServer>(
            cluster_, net::Address::of(server.address), 1,
            std::make_shared<upstream::ServerBound>(
                registry_.server_facts(app.name, server.address.text()))));
      }
    }
    for (size_t i = 0; i < servers.size(); ++i) {
      const auto& server = servers[i];
      server->weight = app.servers[i].weight;
      server->backup = app.servers[i].backup;
      server->slots.set_limit(app.pool.max_connections);
      server->upgraded.set_limit(app.pool.max_upgraded);
    }
    pools.apply({{.cluster = cluster_,
                  .settings = std::shared_ptr<const config::Upstream>(snapshot, &app),
                  .servers = servers}});
    context.router = LocalPtr(new Router(snapshot, {{app.name, pools.find(*cluster_)}}));
  }

  Call& call() { return *calls_.emplace_back(std::make_unique<Call>(context, *listener_stats_)); }
  // A request's head, and what came with it.
  Call& begin(const std::string& head, std::string_view body = {}, bool complete = true,
              std::string_view trailers = {}) {
    Call& made = call();
    http::HeadProgress progress;
    const std::string text = head + "\r\n";
    const auto outcome = http::HeadParser::parse(text, {}, progress, *head_);
    EXPECT_EQ(outcome.status, http::ParseStatus::Complete) << head;
    made.exchange.start(*head_, outcome.head_size, body, complete, trailers);
    end_turn();
    return made;
  }
  Call& get(const std::string& path = "/") {
    return begin("GET " + path + " HTTP/1.1\r\nHost: app.test\r\n");
  }
  void body(Call& of, std::string_view bytes, bool complete = false,
            std::string_view trailers = {}) {
    of.exchange.on_request_body(bytes, complete, trailers);
    end_turn();
  }
  void drop(Call& which) {
    std::erase_if(calls_, [&](const auto& call) { return call.get() == &which; });
    end_turn();
  }

  void drop_all() {
    calls_.clear();
    end_turn();
  }
  void use_spool(net::Spool* spool) { env_.spool = spool; }

  // --- The servers. `which`: the order in which the connections were made.

  ServerSide& server(size_t which = 0) { return *network.connections.at(which); }
  size_t connections() const { return network.connections.size(); }
  void accept(size_t which = 0) {
    server(which).connected = true;
    ready(which, {.writable = true});
  }
  void refuse(size_t which, CloseReason reason = CloseReason::ConnectRefused) {
    server(which).connected = true;
    server(which).refused = reason;
    ready(which, {.readable = true, .writable = true});
  }
  void say(size_t which, std::string_view bytes) {
    server(which).to_read += bytes;
    ready(which, {.readable = true});
  }
  void hang_up(size_t which) {
    server(which).fin = true;
    ready(which, {.readable = true, .peer_closed = true});
  }
  void reset(size_t which) {
    server(which).rst = true;
    ready(which, {.readable = true, .writable = true});
  }
  void ready(size_t which, net::Ready what) {
    ServerSide& side = server(which);
    if (!side.closed) side.handler->on_ready(what);
    end_turn();
  }
  // What the server has received since it was last asked.
  std::string heard(size_t which = 0) { return std::exchange(server(which).received, {}); }
  // Only what follows the head.
  std::string heard_body(size_t which = 0) {
    const std::string all = heard(which);
    const size_t end = all.find("\r\n\r\n");
    return end == std::string::npos ? all : all.substr(end + 4);
  }
  // A connection that has carried a request, and is idle.
  void warm_up() {
    Call& first = get("/warm");
    accept(connections() - 1);
    say(connections() - 1, "HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_EQ(first.client.status, 204);
    heard(connections() - 1);
    drop(first);
  }

  TimePoint now() const { return time_.now(); }
  void end_turn() {
    turn_.begin();
    turn_.run();
  }
  void pass(Duration time) {
    time_.set_now(time_.now() + time);
    timers_.advance(time_.now());
    end_turn();
  }

  uint64_t retries(stats::RetryCause cause) { return sum().retries[cause].value(); }
  uint64_t stale(stats::StaleOutcome outcome) { return sum().stale_reuse[outcome].value(); }
  uint64_t closed(CloseReason reason) { return sum().connections_closed[reason].value(); }
  // Of the first server.
  stats::ServerStats& sum() {
    snapshot_ = registry_.snapshot();
    return *snapshot_.servers.front().stats;
  }

  config::Config config;
  FakeNetwork network;
  std::vector<std::shared_ptr<upstream::SharedServer>> servers;

 private:
  event::TimeSource time_;
  event::TimerQueue timers_{TimePoint(1000s)};
  event::TurnQueue turn_;
  event::Runtime runtime_{time_, timers_, turn_};
  net::Scratch scratch_;
  Random random_{1};
  net::WorkerEnv env_{runtime_, network, scratch_, random_, 0};
  stats::Registry registry_;
  stats::Snapshot snapshot_;
  std::shared_ptr<stats::ListenerStats> listener_stats_ = registry_.listener("main");
  std::shared_ptr<upstream::SharedCluster> cluster_;
  std::unique_ptr<http::RequestHead> head_ = std::make_unique<http::RequestHead>();

 protected:
  upstream::WorkerPools pools{env_, registry_};
  Context context{.env = env_, .router = {}, .access_log = nullptr};
  stats::ListenerStats& listener_stats() { return *listener_stats_; }
  net::Scratch& scratch() { return scratch_; }

 private:
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace berth::exchange
