#include "proxy/server/socket_port.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/exchange/context.h"
#include "proxy/net/socket_network.h"

namespace berth::server {
namespace {

class FakeEviction final : public Eviction {
 public:
  size_t evict_idle(size_t most) override {
    asked.push_back(most);
    return make_room ? make_room() : 0;
  }
  std::vector<size_t> asked;
  std::function<size_t()> make_room;
};

class SocketPortTest : public testing::Test {
 protected:
  SocketPortTest() {
    context_.router =
        LocalPtr(new exchange::Router(config::make_snapshot(config::Config(), 1, "", {}), {}));
  }

  void listen(const std::string& where = "127.0.0.1:0") {
    listen(net::listen_on(*net::Address::parse_listen(where), 1024, 0600));
  }
  void listen(UniqueFd fd) {
    bound = net::Address::of_socket(fd.get());
    port = std::make_unique<SocketPort>(
        loop_, std::move(fd), eviction,
        std::make_unique<client::ClientListener>(
            context_, settings, std::make_shared<client::ConnectionCount>(), stats));
  }
  UniqueFd connect(const net::Address& to) {
    UniqueFd fd(::socket(to.family(), SOCK_STREAM, 0));
    sockaddr_storage storage;
    const socklen_t length = to.to_sockaddr(storage);
    connected = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
    return fd;
  }
  // One look of the loop at what is ready; loopback connections are as soon as connect() returns.
  void turn() { event_base_loop(loop_.base(), EVLOOP_NONBLOCK); }
  uint64_t accepted() const { return stats->connections_accepted.value(); }
  int64_t idle() const { return stats->connections[stats::ClientState::Idle].value(); }

  FakeEviction eviction;
  std::shared_ptr<const config::Listener> settings = std::make_shared<config::Listener>();
  std::shared_ptr<stats::ListenerStats> stats = std::make_shared<stats::ListenerStats>();
  net::Address bound;
  bool connected = false;

 private:
  event::Loop loop_;
  net::SocketNetwork network_{loop_};
  net::Scratch scratch_;
  Random random_{1};
  net::WorkerEnv env_{loop_.runtime(), network_, scratch_, random_, 0};
  exchange::Context context_{.env = env_, .router = {}, .access_log = nullptr};

 protected:
  std::unique_ptr<SocketPort> port;
};

TEST_F(SocketPortTest, MakesClientConnectionsOfWhatItAccepts) {
  listen();
  EXPECT_TRUE(port->clients().empty());
  const UniqueFd one = connect(bound);
  const UniqueFd two = connect(bound);
  turn();
  EXPECT_EQ(accepted(), 2u);
  EXPECT_EQ(idle(), 2);
  EXPECT_FALSE(port->clients().empty());
}

TEST_F(SocketPortTest, ServesUnixSocketsToo) {
  const std::string path =
      testing::TempDir() + "berth-port-" + std::to_string(::getpid()) + ".sock";
  listen("unix:" + path);
  const UniqueFd client = connect(*net::Address::parse("unix:" + path));
  turn();
  EXPECT_EQ(idle(), 1);
  ::unlink(path.c_str());
}

TEST_F(SocketPortTest, WhatTheKernelHasQueuedIsTakenBeforeItStopsAccepting) {
  listen();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 600; ++i) clients.push_back(connect(bound));
  port->stop_accepting();
  EXPECT_EQ(accepted(), 600u);
  EXPECT_EQ(idle(), 600);
  connect(bound);
  EXPECT_FALSE(connected) << "nobody listens there any more";
  port->stop_accepting();  // harmless
}

TEST_F(SocketPortTest, WhenDescriptorsRunShortIdleClientsMakeRoom) {
  listen();
  const UniqueFd client = connect(bound);
  // A sanitizer that checks a virtual call for the first time needs descriptors itself.
  static_cast<Eviction&>(eviction).evict_idle(0);
  eviction.asked.clear();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto lift = [&before] { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0); };
  rlimit none = before;
  {
    const UniqueFd next_free(::dup(0));
    none.rlim_cur = static_cast<rlim_t>(next_free.get());
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  turn();  // nothing to close: it waits
  EXPECT_EQ(accepted(), 0u);
  ASSERT_EQ(eviction.asked.size(), 1u);
  EXPECT_GT(eviction.asked.front(), 0u);
  eviction.make_room = [&] {
    lift();
    return size_t{1};
  };
  port->stop_accepting();
  EXPECT_EQ(accepted(), 1u);
  EXPECT_EQ(eviction.asked.size(), 2u);
  lift();
}

TEST_F(SocketPortTest, ItsConnectionsGoWithIt) {
  listen();
  const UniqueFd client = connect(bound);
  turn();
  port.reset();
  EXPECT_EQ(idle(), 0);
  char byte;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
}

// Of a listening socket, TCP_INFO says how many connections the kernel keeps for it.
uint32_t backlog_of(const UniqueFd& fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_sacked;
}

TEST_F(SocketPortTest, ANewBacklogHoldsAtOnce) {
  UniqueFd fd = net::listen_on(*net::Address::parse("127.0.0.1:0"), 64, 0);
  const UniqueFd same(::dup(fd.get()));
  listen(std::move(fd));
  EXPECT_EQ(backlog_of(same), 64u);
  auto changed = std::make_shared<config::Listener>(*settings);
  changed->backlog = 7;
  port->apply(changed, nullptr);
  EXPECT_EQ(backlog_of(same), 7u);
  EXPECT_EQ(port->clients().settings().backlog, 7u);
}

}  // namespace
}  // namespace berth::server
