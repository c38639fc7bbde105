#include "proxy/net/socket_network.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/net/connect_error.h"
#include "proxy/net/socket_options.h"
#include "proxy/net/socket_transport.h"
#include "tests/unit/net/sockets.h"

namespace berth::net {
namespace {

using namespace std::chrono_literals;

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

class SocketNetworkTest : public testing::Test {
 protected:
  // How connecting ends: None when it stands.
  CloseReason outcome(const Address& to, std::unique_ptr<Transport>* stands = nullptr) {
    handler.forget();
    auto transport = network.connect(to, {.keepalive = keepalive, .other = other}, handler);
    if (!transport) return transport.error();
    Transport::ConnectResult result{.status = IoStatus::Again, .reason = CloseReason::None};
    turn_until(loop, [&] {
      if (handler.calls > 0) result = (*transport)->finish_connect();
      return result.status != IoStatus::Again;
    });
    EXPECT_EQ(result.status == IoStatus::Ok, result.reason == CloseReason::None);
    if (stands != nullptr) *stands = std::move(*transport);
    return result.reason;
  }

  event::Loop loop;
  SocketNetwork network{loop};
  Recorder handler;
  config::TcpKeepalive keepalive;
  OtherAddress* other = nullptr;
};

// A server that has two addresses. (Which families they are of does not matter here.)
class TwoAddressesTest : public SocketNetworkTest {
 protected:
  static Address nobody() { return local_address(listener_socket().get()); }
  // Where a connection has been made to.
  static Address peer(Transport& transport) {
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    const int fd = static_cast<SocketTransport&>(transport).fd();
    EXPECT_EQ(::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length), 0);
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  }
  using Answers = OtherAddress::Answers;
};

TEST_F(TwoAddressesTest, TheOtherOneIsTriedIfTheFirstRefuses) {
  const UniqueFd listener = listener_socket();
  OtherAddress second(local_address(listener.get()));
  other = &second;
  for (int i = 0; i < 2; ++i) {
    std::unique_ptr<Transport> transport;
    ASSERT_EQ(outcome(nobody(), &transport), CloseReason::None);
    EXPECT_EQ(peer(*transport), second.address);
    EXPECT_EQ(second.answers, Answers::Other) << "from now on it is the first";
  }
}

TEST_F(TwoAddressesTest, TheOneThatAnsweredIsLeftWhenItRefuses) {
  const UniqueFd listener = listener_socket();
  OtherAddress second(nobody());
  second.answers = Answers::Other;
  other = &second;
  std::unique_ptr<Transport> transport;
  ASSERT_EQ(outcome(local_address(listener.get()), &transport), CloseReason::None);
  EXPECT_EQ(peer(*transport), local_address(listener.get()));
  EXPECT_EQ(second.answers, Answers::First);
}

TEST_F(TwoAddressesTest, IfNeitherAnswersThatIsAllThatIsKnown) {
  OtherAddress second(nobody());
  second.answers = Answers::First;
  other = &second;
  EXPECT_EQ(outcome(nobody()), CloseReason::ConnectRefused);
  EXPECT_EQ(second.answers, Answers::Unknown);
}

TEST_F(TwoAddressesTest, AFamilyThatTheMachineDoesNotKnowSaysNothing) {
  OtherAddress second((Address()));
  other = &second;
  EXPECT_EQ(outcome(nobody()), CloseReason::ConnectRefused);
  const UniqueFd listener = listener_socket();
  EXPECT_EQ(outcome(local_address(listener.get())), CloseReason::None);
}

// A backlog that is full: the kernel does not answer.
TEST_F(TwoAddressesTest, TheOtherOneIsTriedIfTheFirstIsSilent) {
  const UniqueFd silent = listener_socket(0);
  std::vector<std::unique_ptr<Transport>> pending;
  for (int i = 0; i < 8; ++i) {
    auto transport =
        network.connect(local_address(silent.get()), {.keepalive = keepalive}, handler);
    ASSERT_TRUE(transport.ok());
    pending.push_back(std::move(*transport));
  }
  turn_until(loop, [this] { return handler.calls > 0; });
  const UniqueFd listener = listener_socket();
  OtherAddress second(local_address(listener.get()));
  other = &second;
  std::unique_ptr<Transport> transport;
  ASSERT_EQ(outcome(local_address(silent.get()), &transport), CloseReason::None);
  EXPECT_EQ(peer(*transport), second.address);
}

TEST_F(SocketNetworkTest, ConnectsOverTcp) {
  const UniqueFd listener = listener_socket();
  std::unique_ptr<Transport> transport;
  ASSERT_EQ(outcome(local_address(listener.get()), &transport), CloseReason::None);
  const UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
  ASSERT_TRUE(accepted);
  put(accepted, "hello");
  handler.forget();
  turn_until(loop, [this] { return handler.seen.readable; });
  char bytes[8];
  EXPECT_EQ(transport->read(bytes, sizeof bytes).bytes, 5u);
}

TEST_F(SocketNetworkTest, SetsTheOptionsOfItsSockets) {
  const UniqueFd listener = listener_socket();
  keepalive = {.enabled = true, .idle = 17s, .interval = 5s, .count = 4};
  std::unique_ptr<Transport> transport;
  ASSERT_EQ(outcome(local_address(listener.get()), &transport), CloseReason::None);
  const int fd = static_cast<SocketTransport&>(*transport).fd();
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 17);
  EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(SocketNetworkTest, ARefusedConnectionSaysSo) {
  UniqueFd listener = listener_socket();
  const Address address = local_address(listener.get());
  listener.reset();
  EXPECT_EQ(outcome(address), CloseReason::ConnectRefused);
}

TEST_F(SocketNetworkTest, AUnixSocketThatIsNotThereIsRefused) {
  EXPECT_EQ(outcome(*Address::parse("unix:" + testing::TempDir() + "berth-no-such.sock")),
            CloseReason::ConnectRefused);
}

TEST_F(SocketNetworkTest, ConnectingTakesAsLongAsThePeerWants) {
  // A backlog that is full: the kernel does not answer, and nothing is known yet.
  const UniqueFd listener = listener_socket(0);
  const Address address = local_address(listener.get());
  std::vector<std::unique_ptr<Transport>> pending;
  for (int i = 0; i < 8; ++i) {
    auto transport = network.connect(address, {.keepalive = keepalive}, handler);
    ASSERT_TRUE(transport.ok());
    pending.push_back(std::move(*transport));
  }
  EXPECT_EQ(pending.back()->finish_connect().status, IoStatus::Again);
  EXPECT_EQ(pending.back()->finish_connect().reason, CloseReason::None);
}

TEST_F(SocketNetworkTest, AnAddressOfNoFamilyFails) {
  EXPECT_NE(outcome(Address()), CloseReason::None);
}

TEST_F(SocketNetworkTest, AttachesATransportOfAnotherWorker) {
  SocketPair pair = unix_pair();
  SocketTransport transport(std::move(pair.ours));
  put(pair.theirs, "x");
  ASSERT_TRUE(network.attach(transport, handler));
  turn_until(loop, [this] { return handler.seen.readable; });
}

TEST(SocketOptions, KeepaliveIsWhatIsConfigured) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  set_tcp_options(fd.get(), {.enabled = true, .idle = 61s, .interval = 11s, .count = 7});
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(fd.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE), 61);
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL), 11);
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT), 7);
}

TEST(SocketOptions, KeepaliveCanBeOff) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  set_tcp_options(fd.get(), {.enabled = false, .idle = 61s, .interval = 11s, .count = 7});
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(fd.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_NE(option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE), 61);
}

// The kernel counts seconds and refuses 0.
TEST(SocketOptions, LessThanASecondBecomesOne) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  set_tcp_options(fd.get(), {.enabled = true, .idle = 300ms, .interval = 1ns, .count = 1});
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE), 1);
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL), 1);
}

TEST(SocketOptions, WorkOnIpv6AndLeaveUnixSocketsAlone) {
  const UniqueFd v6(::socket(AF_INET6, SOCK_STREAM, 0));
  set_tcp_options(v6.get(), {});
  EXPECT_EQ(option(v6.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  const SocketPair pair = unix_pair();
  set_tcp_options(pair.ours.get(), {});
  put(pair.ours, "x");
  EXPECT_EQ(take(pair.theirs), "x");
}

TEST(ConnectError, EveryErrnoHasItsReason) {
  const std::pair<int, CloseReason> kTable[] = {
      {ECONNREFUSED, CloseReason::ConnectRefused},
      {ENOENT, CloseReason::ConnectRefused},
      {ETIMEDOUT, CloseReason::ConnectTimeout},
      {ENETUNREACH, CloseReason::ConnectUnreachable},
      {EHOSTUNREACH, CloseReason::ConnectUnreachable},
      {ENETDOWN, CloseReason::ConnectUnreachable},
      {EHOSTDOWN, CloseReason::ConnectUnreachable},
      {EMFILE, CloseReason::NoLocalResources},
      {ENFILE, CloseReason::NoLocalResources},
      {ENOBUFS, CloseReason::NoLocalResources},
      {ENOMEM, CloseReason::NoLocalResources},
      {EADDRNOTAVAIL, CloseReason::NoLocalResources},
      {EAGAIN, CloseReason::NoLocalResources},
      {EACCES, CloseReason::ConnectFailed},
      {EPERM, CloseReason::ConnectFailed},
      {ECONNRESET, CloseReason::ConnectFailed},
      {EAFNOSUPPORT, CloseReason::ConnectFailed},
  };
  for (const auto& [error, reason] : kTable) {
    EXPECT_EQ(reason_for_connect_error(error), reason) << error;
  }
}

// Every one of them is something that a client can be told.
TEST(ConnectError, EveryReasonHasAStatus) {
  for (int error = 1; error < 134; ++error) {
    EXPECT_NE(info(reason_for_connect_error(error)).status, 0) << error;
  }
}

}  // namespace
}  // namespace berth::net
