// Whole workers: threads, loops, sockets; an app server and clients in the same process.
#include "proxy/server/worker.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/listener.h"
#include "proxy/server/topology.h"
#include "tests/unit/server/apply_snapshot.h"

namespace berth::server {
namespace {

// An app server: each connection has a thread, each request is answered with its path and the
// number of its connection.
class Origin {
 public:
  Origin() : listener_(net::listen_on(*net::Address::parse("127.0.0.1:0"), 64, 0)) {
    acceptor_ = std::thread([this] { accept_all(); });
  }
  Origin(const Origin&) = delete;
  ~Origin() {
    stopping_ = true;
    release();
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const UniqueFd& fd : connections_) ::shutdown(fd.get(), SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  std::string address() const { return net::Address::of_socket(listener_.get()).to_string(); }
  // Requests for /held wait until then.
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  void wait_until_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_ > 0; });
  }
  int connections() const { return accepted_; }

 private:
  void accept_all() {
    while (!stopping_) {
      pollfd poll{.fd = listener_.get(), .events = POLLIN, .revents = 0};
      ::poll(&poll, 1, -1);
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      const std::lock_guard lock(mutex_);
      const int number = ++accepted_;
      threads_.emplace_back([this, at = fd.get(), number] { serve(at, number); });
      connections_.push_back(std::move(fd));
    }
  }

  void serve(int fd, int number) {
    std::string got;
    char bytes[4096];
    for (;;) {
      const size_t end = got.find("\r\n\r\n");
      if (end == std::string::npos) {
        const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0) break;
        got.append(bytes, static_cast<size_t>(n));
        continue;
      }
      const std::string path = got.substr(4, got.find(' ', 4) - 4);
      got.erase(0, end + 4);
      if (path == "/held") hold();
      const std::string body = path + " " + std::to_string(number);
      const std::string answer =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  void hold() {
    std::unique_lock lock(mutex_);
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
  }

  const UniqueFd listener_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  int held_ = 0;
  std::vector<UniqueFd> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

class Client {
 public:
  explicit Client(const std::string& address) {
    const net::Address to = *net::Address::parse(address);
    fd_ = UniqueFd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    // A test that waits for something that never comes is to fail, not to hang.
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_storage storage;
    const socklen_t length = to.to_sockaddr(storage);
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
  }

  bool connected() const { return connected_; }
  void ask(const std::string& path, const std::string& lines = {}) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: app.test\r\n" + lines + "\r\n";
    EXPECT_EQ(::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
  }
  // A response with a Content-Length.
  std::string answer() {
    size_t end = 0;
    while ((end = got_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return "closed";
    }
    head_ = got_.substr(0, end);
    const size_t at = head_.find("Content-Length: ");
    EXPECT_NE(at, std::string::npos) << head_;
    if (at == std::string::npos) return "no length";
    const size_t length = std::stoul(head_.substr(at + 16));
    while (got_.size() < end + 4 + length) {
      if (!receive()) return "broke off";
    }
    const std::string body = got_.substr(end + 4, length);
    got_.erase(0, end + 4 + length);
    return body;
  }
  std::string get(const std::string& path) {
    ask(path);
    return answer();
  }
  const std::string& head() const { return head_; }
  bool closed_by_proxy() { return got_.empty() && !receive(); }

 private:
  bool receive() {
    char bytes[4096];
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    got_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  UniqueFd fd_;
  bool connected_ = false;
  std::string got_;
  std::string head_;
};

class Observer final : public WorkerObserver {
 public:
  void on_worker_ready(uint32_t) override { note(ready_); }
  void on_worker_drained(uint32_t) override { note(drained_); }
  void on_ejected(const upstream::SharedServer&, Duration, uint32_t) override {}
  void on_ejection_over(const upstream::SharedServer&) override {}
  void on_trouble(const upstream::SharedServer&, CloseReason, std::string_view) override {}
  void on_trouble_over(const upstream::SharedServer&) override {}
  void on_low_idle_limit(const upstream::SharedServer&, Duration, Duration) override {}
  void on_holder_ended(const upstream::SharedServer&, const net::Address&, Duration,
                       bool) override {}
  void wait_ready(int count) { wait(ready_, count); }
  void wait_drained(int count) { wait(drained_, count); }
  int drained() {
    const std::lock_guard lock(mutex_);
    return drained_;
  }

 private:
  void note(int& what) {
    const std::lock_guard lock(mutex_);
    ++what;
    changed_.notify_all();
  }
  void wait(const int& what, int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return what >= count; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int ready_ = 0;
  int drained_ = 0;
};

template <class Bounds>
uint64_t count(const stats::Histogram<Bounds>& histogram) {
  uint64_t all = 0;
  for (size_t at = 0; at < stats::Histogram<Bounds>::kBuckets; ++at) all += histogram.bucket(at);
  return all;
}

class WorkerThreaded : public testing::Test {
 protected:
  WorkerThreaded() {
    config::Listener& listener = config.listeners.emplace_back();
    listener.name = "main";
    listener.address = "127.0.0.1:0";
    config::Upstream& app = config.upstreams.emplace_back();
    app.name = "app";
    app.servers = {{origin.address()}};
    app.pool.queue_timeout = std::chrono::seconds(30);
    app.pool.keepalive_timeout = std::chrono::hours(1);  // however slow the machine
    config.routes.emplace_back().upstream = "app";
    config.access_log.enabled = false;
    config.access_log.path = "/dev/null";
  }
  ~WorkerThreaded() override {
    for (const auto& worker : workers) worker->join();
    workers.clear();
  }

  void start(uint32_t count) {
    log = std::make_unique<AccessLog>(config.access_log);
    topology = std::make_unique<Topology>(registry, count);
    for (uint32_t i = 0; i < count; ++i) {
      workers.push_back(std::make_unique<Worker>(i, registry, *log, observer, i + 1, "test"));
      peers.push_back(workers.back()->peer());
    }
    for (const auto& worker : workers) worker->start(peers);
    apply();
  }
  // Puts `config` in effect and waits for it.
  void apply() {
    auto plans =
        apply_snapshot(*topology, config::make_snapshot(config, ++generation, "", {})).plans;
    registry.retain({.listeners = {"main"},
                     .servers = {{"app", config.upstreams.front().servers.front().address.text()}},
                     .upstreams = {"app"}});
    for (size_t i = 0; i < workers.size(); ++i) workers[i]->apply(std::move(plans[i]));
    observer.wait_ready(static_cast<int>(generation * workers.size()));
  }
  std::string address(size_t which = 0) const { return topology->listening().at(which); }

  Origin origin;
  config::Config config;
  stats::Registry registry;
  Observer observer;
  std::unique_ptr<AccessLog> log;
  std::unique_ptr<Topology> topology;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<upstream::Peer> peers;
  uint64_t generation = 0;
};

TEST_F(WorkerThreaded, CarriesRequestsOverOneWarmConnection) {
  start(1);
  Client client(address());
  EXPECT_EQ(client.get("/one"), "/one 1");
  EXPECT_TRUE(client.head().starts_with("HTTP/1.1 200 OK"));
  EXPECT_EQ(client.get("/two"), "/two 1");
  Client other(address());
  EXPECT_EQ(other.get("/three"), "/three 1");
  EXPECT_EQ(origin.connections(), 1);
}

TEST_F(WorkerThreaded, CountsWhatItDoes) {
  start(1);
  {
    Client client(address());
    client.get("/one");
    client.get("/two");
    workers.front()->drain();
    observer.wait_drained(1);
  }
  constexpr auto kIdle = stats::UpstreamState::Idle;
  EXPECT_EQ(registry.snapshot().servers.front().stats->connections[kIdle].value(), 0)
      << "draining lets go of the servers too";
  workers.front()->join();
  const stats::Snapshot sums = registry.snapshot();
  const stats::ListenerStats& listener = *sums.listeners.front().stats;
  EXPECT_EQ(sums.listeners.front().name, "main");
  EXPECT_EQ(listener.connections_accepted.value(), 1u);
  for (const stats::Gauge& gauge : listener.connections) EXPECT_EQ(gauge.value(), 0);
  EXPECT_EQ(listener.connections_closed[CloseReason::Shutdown].value(), 1u);
  EXPECT_EQ(count(listener.request_duration), 2u);
  EXPECT_GT(listener.received_bytes.value(), 0u);
  EXPECT_GT(listener.sent_bytes.value(), 0u);
  const stats::ServerStats& server = *sums.servers.front().stats;
  EXPECT_EQ(server.connections_opened.value(), 1u);
  for (const stats::Gauge& gauge : server.connections) EXPECT_EQ(gauge.value(), 0);
  EXPECT_GT(count(sums.workers->loop_lag), 0u);
}

TEST_F(WorkerThreaded, ManyWorkersKeepOneBound) {
  config.upstreams.front().pool.max_connections = 2;
  start(3);
  constexpr int kClients = 12;
  constexpr int kRequests = 20;
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      Client client(address());
      for (int r = 0; r < kRequests; ++r) {
        const std::string path = "/" + std::to_string(c) + "/" + std::to_string(r);
        if (client.get(path).starts_with(path + " ")) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, kClients * kRequests);
  EXPECT_LE(origin.connections(), 2);
}

TEST_F(WorkerThreaded, ManyWorkersKeepTheirSessionsWithTheirServers) {
  Origin second;
  Origin backup;
  config::Upstream& app = config.upstreams.front();
  app.servers.push_back({second.address()});
  app.servers.push_back({.address = backup.address(), .backup = true});
  app.pool.max_connections = 2;
  app.sticky.cookie = "s";
  app.slow_start = std::chrono::seconds(1);
  start(3);
  constexpr int kClients = 12;
  constexpr int kRequests = 20;
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  std::atomic<int> renewed{0};
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      Client client(address());
      std::string cookie;
      for (int r = 0; r < kRequests; ++r) {
        const std::string path = "/" + std::to_string(c) + "/" + std::to_string(r);
        client.ask(path, cookie);
        if (client.answer().starts_with(path + " ")) ++right;
        const size_t at = client.head().find("Set-Cookie: ");
        if (at == std::string::npos) continue;
        if (!cookie.empty()) ++renewed;
        cookie = "Cookie: " + client.head().substr(at + 12, 18) + "\r\n";
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, kClients * kRequests);
  EXPECT_EQ(renewed, 0);
  EXPECT_GT(origin.connections(), 0);
  EXPECT_GT(second.connections(), 0);
  EXPECT_EQ(backup.connections(), 0);
}

TEST_F(WorkerThreaded, DrainingLetsRequestsFinishAndClosesIdleConnections) {
  start(2);
  Client idle(address());
  EXPECT_NE(idle.get("/x"), "closed");
  Client busy(address());
  busy.ask("/held");
  origin.wait_until_held();
  for (const auto& worker : workers) worker->drain();
  EXPECT_TRUE(idle.closed_by_proxy());
  EXPECT_LT(observer.drained(), 2) << "one worker still has a request";
  origin.release();
  EXPECT_TRUE(busy.answer().starts_with("/held "));
  EXPECT_NE(busy.head().find("Connection: close"), std::string::npos);
  EXPECT_TRUE(busy.closed_by_proxy());
  observer.wait_drained(2);
  EXPECT_FALSE(Client(address()).connected());
}

TEST_F(WorkerThreaded, AReloadKeepsConnectionsOfBothSides) {
  start(1);
  Client client(address());
  EXPECT_EQ(client.get("/one"), "/one 1");
  config.upstreams.front().pool.max_connections = 7;
  apply();
  EXPECT_EQ(client.get("/two"), "/two 1") << "neither side was closed";
  EXPECT_EQ(Client(address()).get("/three"), "/three 1");
}

TEST_F(WorkerThreaded, NewSettingsOfAListenerHoldForConnectionsThatStand) {
  start(1);
  Client client(address());
  client.get("/one");
  EXPECT_NE(client.head().find("Connection: keep-alive"), std::string::npos) << client.head();
  config.listeners.front().keepalive_requests = 2;
  apply();
  EXPECT_EQ(client.get("/two"), "/two 1");
  EXPECT_NE(client.head().find("Connection: close"), std::string::npos) << client.head();
}

TEST_F(WorkerThreaded, AReloadAddsAndRemovesListeners) {
  start(2);
  const std::string first = address();
  Client client(first);
  Client held(first);
  EXPECT_NE(client.get("/x"), "closed");
  held.ask("/held");
  origin.wait_until_held();
  config.listeners.front().address = "[::1]:0";
  apply();
  EXPECT_TRUE(Client(address()).get("/new").starts_with("/new "));
  EXPECT_TRUE(client.closed_by_proxy());
  origin.release();
  EXPECT_TRUE(held.answer().starts_with("/held ")) << "what was under way is finished";
  EXPECT_FALSE(Client(first).connected());
}

TEST_F(WorkerThreaded, AReloadMovesNewRequestsToTheNewServer) {
  const Origin second;
  start(1);
  Client client(address());
  EXPECT_EQ(client.get("/one"), "/one 1");
  config.upstreams.front().servers = {{second.address()}};
  apply();
  EXPECT_EQ(client.get("/two"), "/two 1");
  EXPECT_EQ(second.connections(), 1);
  EXPECT_EQ(origin.connections(), 1);
}

TEST_F(WorkerThreaded, StoppingClosesWhatIsLeft) {
  start(2);
  Client idle(address());
  EXPECT_NE(idle.get("/x"), "closed");
  Client busy(address());
  busy.ask("/held");
  origin.wait_until_held();
  for (const auto& worker : workers) worker->join();
  EXPECT_TRUE(idle.closed_by_proxy());
  EXPECT_TRUE(busy.closed_by_proxy());
  origin.release();
  workers.clear();
  const stats::Snapshot sums = registry.snapshot();
  for (const stats::Gauge& gauge : sums.listeners.front().stats->connections) {
    EXPECT_EQ(gauge.value(), 0);
  }
}

TEST_F(WorkerThreaded, PlansThatNeverArriveAreGivenUp) {
  log = std::make_unique<AccessLog>(config.access_log);
  topology = std::make_unique<Topology>(registry, 1);
  workers.push_back(std::make_unique<Worker>(0, registry, *log, observer, 1, "test"));
  auto plans = apply_snapshot(*topology, config::make_snapshot(config, 1, "", {})).plans;
  workers.front()->apply(std::move(plans.front()));
  workers.clear();  // never started
  EXPECT_FALSE(Client(address()).connected()) << "the socket in the plan is closed";
}

}  // namespace
}  // namespace berth::server
