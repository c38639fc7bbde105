#include "proxy/net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/net/sockets.h"

namespace berth::net {
namespace {

constexpr uint32_t kMode = 0600;

Address address_of(const std::string& text) {
  return *Address::parse_listen(text);
}

std::string failure(const Address& address) {
  try {
    listen_on(address, 16, kMode);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

// A path for a socket that is gone when the test ends.
class SocketPath {
 public:
  explicit SocketPath(const std::string& name)
      : path_(testing::TempDir() + "berth-" + std::to_string(::getpid()) + "-" + name) {
    ::unlink(path_.c_str());
  }
  SocketPath(const SocketPath&) = delete;
  ~SocketPath() { ::unlink(path_.c_str()); }
  const char* path() const { return path_.c_str(); }
  Address address() const { return *Address::parse("unix:" + path_); }

 private:
  std::string path_;
};

struct Accepted {
  UniqueFd fd;
  Address peer;
};

class Acceptor final : public AcceptHandler {
 public:
  void on_accept(UniqueFd fd, const Address& peer) override {
    accepted.push_back({std::move(fd), peer});
  }
  bool on_accept_starved(int error) override {
    ++starved;
    last_error = error;
    return make_room && make_room();
  }
  std::vector<Accepted> accepted;
  int starved = 0;
  int last_error = 0;
  std::function<bool()> make_room;
};

// --- listen_on

TEST(ListenOn, MakesASocketThatNeverBlocksAndIsNotInherited) {
  const UniqueFd fd = listen_on(address_of("127.0.0.1:0"), 16, kMode);
  EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(local_address(fd.get()).port(), 0);
  connect_to(local_address(fd.get()));
}

TEST(ListenOn, EachWorkerGetsASocketOfItsOwnOnTheSamePort) {
  const UniqueFd first = listen_on(address_of("127.0.0.1:0"), 16, kMode);
  const Address bound = local_address(first.get());
  const UniqueFd second = listen_on(bound, 16, kMode);
  EXPECT_EQ(local_address(second.get()), bound);
}

TEST(ListenOn, WithoutAHostBothFamiliesAreServed) {
  const UniqueFd fd = listen_on(address_of(":0"), 16, kMode);
  const std::string port = std::to_string(local_address(fd.get()).port());
  connect_to(address_of("127.0.0.1:" + port));
  connect_to(address_of("[::1]:" + port));
}

TEST(ListenOn, AnIpv6AddressAloneServesIpv6) {
  const UniqueFd fd = listen_on(address_of("[::1]:0"), 16, kMode);
  connect_to(local_address(fd.get()));
}

TEST(ListenOn, APortThatSomebodyElseHasIsAnErrorThatSaysSo) {
  const UniqueFd other = listener_socket();  // without SO_REUSEPORT
  const Address address = local_address(other.get());
  const std::string message = failure(address);
  EXPECT_NE(message.find("cannot listen on " + address.to_string()), std::string::npos) << message;
  EXPECT_NE(message.find("another process listens there"), std::string::npos) << message;
}

TEST(ListenOn, AnAddressOfAnotherMachineIsAnErrorThatSaysSo) {
  const std::string message = failure(address_of("192.0.2.1:8080"));  // TEST-NET-1 (RFC 5737)
  EXPECT_NE(message.find("cannot listen on 192.0.2.1:8080"), std::string::npos) << message;
  EXPECT_NE(message.find("this machine has no such address"), std::string::npos) << message;
}

TEST(ListenOn, AUnixSocketGetsItsMode) {
  for (const uint32_t mode : {0600U, 0660U, 0666U}) {
    const SocketPath at("mode.sock");
    const UniqueFd fd = listen_on(at.address(), 16, mode);
    struct stat facts {};
    ASSERT_EQ(::stat(at.path(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, mode);
    connect_to(at.address());
  }
}

TEST(ListenOn, AStaleUnixSocketIsReplaced) {
  const SocketPath at("stale.sock");
  listen_on(at.address(), 16, kMode).reset();  // closed, but its file is there
  struct stat facts {};
  ASSERT_EQ(::stat(at.path(), &facts), 0);
  const UniqueFd fd = listen_on(at.address(), 16, kMode);
  connect_to(at.address());
}

TEST(ListenOn, AUnixSocketThatSomebodyListensOnIsLeftAlone) {
  const SocketPath at("live.sock");
  const UniqueFd live = listen_on(at.address(), 16, kMode);
  const std::string message = failure(at.address());
  EXPECT_NE(message.find("another process listens there"), std::string::npos) << message;
  connect_to(at.address());
  EXPECT_TRUE(UniqueFd(::accept(live.get(), nullptr, nullptr)));
}

// Neither is one whose owner is too busy to accept.
TEST(ListenOn, AUnixSocketWithAFullBacklogIsLeftAlone) {
  const SocketPath at("full.sock");
  const UniqueFd live = listen_on(at.address(), 0, kMode);
  const UniqueFd waiting = connect_to(at.address());
  const std::string message = failure(at.address());
  EXPECT_NE(message.find("another process listens there"), std::string::npos) << message;
  EXPECT_TRUE(UniqueFd(::accept(live.get(), nullptr, nullptr)));
  connect_to(at.address());
}

TEST(ListenOn, AFileThatIsNoSocketIsNeverRemoved) {
  const SocketPath at("precious.txt");
  std::ofstream(at.path()) << "precious";
  const std::string message = failure(at.address());
  EXPECT_NE(message.find("it is no socket"), std::string::npos) << message;
  std::string content;
  std::ifstream(at.path()) >> content;
  EXPECT_EQ(content, "precious");
}

TEST(ListenOn, ADirectoryThatIsNotThereIsNamed) {
  const std::string message = failure(address_of("unix:/no/such/directory/x.sock"));
  EXPECT_NE(message.find("unix:/no/such/directory/x.sock: No such file or directory"),
            std::string::npos)
      << message;
}

TEST(ListenOn, AnAddressOfNoKindIsAnError) {
  EXPECT_NE(failure(Address()).find("cannot make a socket for"), std::string::npos);
}

// --- Listener

class ListenerTest : public testing::Test {
 protected:
  void listen(const std::string& address = "127.0.0.1:0", int backlog = 1024) {
    UniqueFd fd = listen_on(address_of(address), backlog, kMode);
    bound = local_address(fd.get());
    // A sanitizer that checks a virtual call for the first time needs descriptors itself, and some
    // tests leave none.
    AcceptHandler& handler = acceptor;
    handler.on_accept(UniqueFd(), bound);
    handler.on_accept_starved(0);
    acceptor = Acceptor();
    listener = std::make_unique<Listener>(loop, std::move(fd), acceptor);
  }

  event::Loop loop;
  Acceptor acceptor;
  std::unique_ptr<Listener> listener;
  Address bound;
};

TEST_F(ListenerTest, AcceptsAndSaysWhoItIs) {
  listen();
  const UniqueFd client = connect_to(bound);
  turn_until(loop, [this] { return !acceptor.accepted.empty(); });
  ASSERT_EQ(acceptor.accepted.size(), 1u);
  const Accepted& got = acceptor.accepted.front();
  EXPECT_EQ(got.peer, local_address(client.get()));
  EXPECT_NE(::fcntl(got.fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(got.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  put(client, "hello");
  EXPECT_EQ(take(got.fd), "hello");
}

TEST_F(ListenerTest, AcceptsAllThatWait) {
  listen();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(connect_to(bound));
  turn_until(loop, [this] { return acceptor.accepted.size() >= 20; });
  EXPECT_EQ(acceptor.accepted.size(), 20u);
  clients.push_back(connect_to(bound));
  turn_until(loop, [this] { return acceptor.accepted.size() >= 21; });
}

TEST_F(ListenerTest, AFloodIsTakenInSeveralTurns) {
  listen();
  constexpr size_t kClients = 300;
  std::vector<UniqueFd> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(connect_to(bound));
  EXPECT_TRUE(listener->accept_all()) << "there are more";
  EXPECT_LT(acceptor.accepted.size(), kClients);
  EXPECT_GE(acceptor.accepted.size(), 64u);
  turn_until(loop, [this] { return acceptor.accepted.size() >= kClients; });
  EXPECT_EQ(acceptor.accepted.size(), kClients);
  EXPECT_FALSE(listener->accept_all());
}

TEST_F(ListenerTest, AcceptsOnUnixSockets) {
  const SocketPath at("accept.sock");
  listen(at.address().to_string());
  const UniqueFd client = connect_to(at.address());
  turn_until(loop, [this] { return !acceptor.accepted.empty(); });
  EXPECT_EQ(acceptor.accepted.front().peer.kind(), AddressKind::Unix);
  EXPECT_EQ(acceptor.accepted.front().peer.to_string(), "unix:");
}

TEST_F(ListenerTest, DestroyedItAcceptsNoMore) {
  listen();
  const UniqueFd client = connect_to(bound);
  listener.reset();
  turn(loop);
  EXPECT_TRUE(acceptor.accepted.empty());
}

// Takes away the file descriptors that are still free.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const UniqueFd next_free(::dup(0));
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next_free.get());
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  ~NoDescriptors() { lift(); }
  void lift() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

TEST_F(ListenerTest, OutOfDescriptorsItAsksForRoomAndTriesAgainAtOnce) {
  listen();
  const UniqueFd client = connect_to(bound);
  NoDescriptors starved;
  acceptor.make_room = [&] {
    starved.lift();
    return true;
  };
  EXPECT_FALSE(listener->accept_all());
  EXPECT_EQ(acceptor.starved, 1);
  EXPECT_EQ(acceptor.last_error, EMFILE);
  EXPECT_EQ(acceptor.accepted.size(), 1u);
}

TEST_F(ListenerTest, WithoutRoomItLooksAwayForAMomentInsteadOfSpinning) {
  listen();
  const UniqueFd client = connect_to(bound);
  {
    const NoDescriptors starved;
    turn_until(loop, [this] { return acceptor.starved > 0; });
    // The connection still waits, but the listener does not look.
    for (int i = 0; i < 5; ++i) turn(loop);
    EXPECT_EQ(acceptor.starved, 1);
    EXPECT_TRUE(acceptor.accepted.empty());
  }
  turn_until(loop, [this] { return !acceptor.accepted.empty(); });
  EXPECT_EQ(acceptor.starved, 1);
}

TEST_F(ListenerTest, MayGoWhileItLooksAway) {
  const auto events = [this] {
    return event_base_get_num_events(loop.base(), EVENT_BASE_COUNT_ADDED);
  };
  const int before = events();
  listen();
  const UniqueFd client = connect_to(bound);
  {
    const NoDescriptors starved;
    turn_until(loop, [this] { return acceptor.starved > 0; });
  }
  listener.reset();
  EXPECT_EQ(events(), before) << "nothing of it is left in the loop";
  turn(loop);
  EXPECT_TRUE(acceptor.accepted.empty());
}

}  // namespace
}  // namespace berth::net
