#include "proxy/net/socket_transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/net/sockets.h"

namespace berth::net {
namespace {

std::string read_some(Transport& transport, IoStatus expected, size_t most = 4096) {
  std::string into(most, '\0');
  const IoResult got = transport.read(into.data(), most);
  EXPECT_EQ(got.status, expected);
  into.resize(got.bytes);
  return into;
}

IoResult write_text(Transport& transport, std::string_view text) {
  const iovec part{const_cast<char*>(text.data()), text.size()};
  return transport.write(&part, 1);
}

// Waits for the kernel, which reports a reset in its own time.
void wait_readable(int fd) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poll, 1, 20'000), 1);
}

void fill_the_pipe(Transport& transport) {
  const std::string lump(65536, 'x');
  while (write_text(transport, lump).status == IoStatus::Ok) {
  }
}

class SocketTransportTest : public testing::TestWithParam<bool> {
 protected:
  SocketTransportTest()
      : pair(GetParam() ? tcp_pair() : unix_pair()),
        fd(pair.ours.get()),
        transport(std::move(pair.ours)) {}

  SocketPair pair;
  const int fd;
  SocketTransport transport;
};

INSTANTIATE_TEST_SUITE_P(Families, SocketTransportTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Tcp" : "Unix"; });

TEST_P(SocketTransportTest, ReadsWhatHasArrived) {
  put(pair.theirs, "hello");
  wait_readable(fd);
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "hello");
  EXPECT_EQ(read_some(transport, IoStatus::Again), "");
}

TEST_P(SocketTransportTest, ReadsNoMoreThanThereIsRoomFor) {
  put(pair.theirs, "hello");
  wait_readable(fd);
  EXPECT_EQ(read_some(transport, IoStatus::Ok, 3), "hel");
  EXPECT_EQ(read_some(transport, IoStatus::Ok, 3), "lo");
}

TEST_P(SocketTransportTest, TheEndComesAfterTheData) {
  put(pair.theirs, "last words");
  pair.theirs.reset();
  wait_readable(fd);
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "last words");
  EXPECT_EQ(read_some(transport, IoStatus::Eof), "");
  EXPECT_EQ(read_some(transport, IoStatus::Eof), "");
}

TEST_P(SocketTransportTest, GathersItsPartsInOrder) {
  iovec parts[] = {{const_cast<char*>("one "), 4},
                   {const_cast<char*>(""), 0},
                   {const_cast<char*>("two "), 4},
                   {const_cast<char*>("three"), 5}};
  const IoResult sent = transport.write(parts, 4);
  EXPECT_EQ(sent.status, IoStatus::Ok);
  EXPECT_EQ(sent.bytes, 13u);
  EXPECT_EQ(write_text(transport, "!").bytes, 1u);
  EXPECT_EQ(take(pair.theirs), "one two three!");
}

TEST_P(SocketTransportTest, AFullPeerTakesPartAndThenNothing) {
  const std::string lump(64 << 20, 'x');
  iovec parts[] = {{const_cast<char*>(lump.data()), lump.size()}, {const_cast<char*>("y"), 1}};
  const IoResult some = transport.write(parts, 2);
  EXPECT_EQ(some.status, IoStatus::Ok);
  EXPECT_GT(some.bytes, 0u);
  EXPECT_LT(some.bytes, lump.size());
  fill_the_pipe(transport);
  const IoResult none = write_text(transport, "y");
  EXPECT_EQ(none.status, IoStatus::Again);
  EXPECT_EQ(none.bytes, 0u);
}

TEST_P(SocketTransportTest, WritingToAPeerThatIsGoneIsAResetAndNoSignal) {
  reset(pair.theirs);
  wait_readable(fd);
  IoStatus status = write_text(transport, "x").status;
  iovec parts[] = {{const_cast<char*>("a"), 1}, {const_cast<char*>("b"), 1}};
  EXPECT_EQ(status, IoStatus::Reset);
  EXPECT_EQ(transport.write(parts, 2).status, IoStatus::Reset);
}

TEST_P(SocketTransportTest, ShuttingDownItsSideTellsThePeer) {
  write_text(transport, "bye");
  transport.shutdown_write();
  wait_readable(pair.theirs.get());
  EXPECT_EQ(take(pair.theirs), "bye");
  char byte;
  EXPECT_EQ(::recv(pair.theirs.get(), &byte, 1, 0), 0);
  put(pair.theirs, "still here");
  wait_readable(fd);
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "still here");
}

TEST_P(SocketTransportTest, AProbeSeesWithoutTaking) {
  EXPECT_EQ(transport.probe(), Probe::Quiet);
  put(pair.theirs, "x");
  wait_readable(fd);
  EXPECT_EQ(transport.probe(), Probe::Data);
  EXPECT_EQ(transport.probe(), Probe::Data);
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "x");
  EXPECT_EQ(transport.probe(), Probe::Quiet);
  pair.theirs.reset();
  wait_readable(fd);
  EXPECT_EQ(transport.probe(), Probe::Eof);
}

TEST_P(SocketTransportTest, AProbeSeesDataBeforeTheEnd) {
  put(pair.theirs, "x");
  pair.theirs.reset();
  wait_readable(fd);
  EXPECT_EQ(transport.probe(), Probe::Data);
}

TEST_P(SocketTransportTest, AStandingConnectionHasFinishedConnecting) {
  const auto result = transport.finish_connect();
  EXPECT_EQ(result.status, IoStatus::Ok);
  EXPECT_EQ(result.reason, CloseReason::None);
}

// --- Readiness

class AttachedTest : public SocketTransportTest {
 protected:
  AttachedTest() {
    EXPECT_TRUE(transport.attach(loop, handler));
    // Edge-triggered writability is reported at registration.
    turn_until(loop, [this] { return handler.seen.writable; });
    EXPECT_FALSE(handler.seen.readable);
    EXPECT_FALSE(handler.seen.peer_closed);
    handler.forget();
  }

  event::Loop loop;
  Recorder handler;
};

INSTANTIATE_TEST_SUITE_P(Families, AttachedTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Tcp" : "Unix"; });

TEST_P(AttachedTest, ReportsDataOnce) {
  put(pair.theirs, "x");
  turn_until(loop, [this] { return handler.seen.readable; });
  EXPECT_FALSE(handler.seen.peer_closed);
  handler.forget();
  turn(loop);  // unread, but not new
  EXPECT_EQ(handler.calls, 0);
  put(pair.theirs, "y");
  turn_until(loop, [this] { return handler.seen.readable; });
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "xy");
}

TEST_P(AttachedTest, ReportsThePeersEnd) {
  pair.theirs.reset();
  turn_until(loop, [this] { return handler.seen.peer_closed; });
  EXPECT_TRUE(handler.seen.readable);
}

TEST_P(AttachedTest, ReportsAnEndThatComesWithData) {
  put(pair.theirs, "x");
  pair.theirs.reset();
  turn_until(loop, [this] { return handler.seen.peer_closed; });
  EXPECT_TRUE(handler.seen.readable);
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "x");
  EXPECT_EQ(read_some(transport, IoStatus::Eof), "");
}

TEST_P(AttachedTest, ReportsThatAFullPeerTakesMore) {
  fill_the_pipe(transport);
  turn(loop);
  handler.forget();
  turn(loop);
  EXPECT_FALSE(handler.seen.writable);
  turn_until(loop, [this] {
    while (!take(pair.theirs).empty()) {
    }
    return handler.seen.writable;
  });
  EXPECT_EQ(write_text(transport, "x").status, IoStatus::Ok);
}

TEST_P(AttachedTest, DetachedItReportsNothing) {
  transport.detach();
  put(pair.theirs, "x");
  wait_readable(fd);
  turn(loop);
  EXPECT_EQ(handler.calls, 0);
  transport.detach();  // harmless
}

// An idle connection moves to another worker; what arrived on the way is not lost.
TEST_P(AttachedTest, AttachedElsewhereItReportsWhatCameOnTheWay) {
  transport.detach();
  put(pair.theirs, "x");
  pair.theirs.reset();
  wait_readable(fd);
  event::Loop other;
  Recorder there;
  ASSERT_TRUE(transport.attach(other, there));
  turn_until(other, [&] { return there.seen.readable && there.seen.peer_closed; });
  EXPECT_EQ(handler.calls, 0);
  EXPECT_EQ(read_some(transport, IoStatus::Ok), "x");
  transport.detach();
}

TEST_P(SocketTransportTest, MayBeDestroyedByItsOwnHandler) {
  struct Destroyer final : TransportHandler {
    void on_ready(Ready) override { victim.reset(); }
    std::unique_ptr<SocketTransport> victim;
  } handler;
  event::Loop loop;
  handler.victim = std::make_unique<SocketTransport>(UniqueFd(::dup(fd)));
  ASSERT_TRUE(handler.victim->attach(loop, handler));
  turn_until(loop, [&] { return handler.victim == nullptr; });
  turn(loop);
}

TEST_P(SocketTransportTest, DestroyingItClosesTheConnection) {
  { const SocketTransport owner(UniqueFd(std::move(pair.theirs))); }
  wait_readable(fd);
  EXPECT_EQ(transport.probe(), Probe::Eof);
}

// --- TCP only

TEST(SocketTransportTcp, AResetIsSeenByReadAndProbe) {
  SocketPair pair = tcp_pair();
  const int fd = pair.ours.get();
  SocketTransport transport(std::move(pair.ours));
  reset(pair.theirs);
  wait_readable(fd);
  EXPECT_EQ(read_some(transport, IoStatus::Reset), "");
}

TEST(SocketTransportTcp, AResetIsSeenByAProbe) {
  SocketPair pair = tcp_pair();
  const int fd = pair.ours.get();
  SocketTransport transport(std::move(pair.ours));
  reset(pair.theirs);
  wait_readable(fd);
  EXPECT_EQ(transport.probe(), Probe::Reset);
}

TEST(SocketTransportTcp, AResetIsReported) {
  SocketPair pair = tcp_pair();
  SocketTransport transport(std::move(pair.ours));
  event::Loop loop;
  Recorder handler;
  ASSERT_TRUE(transport.attach(loop, handler));
  turn_until(loop, [&] { return handler.seen.writable; });
  reset(pair.theirs);
  turn_until(loop, [&] { return handler.seen.readable; });
}

TEST(SocketTransportTcp, ClosesWithFinUnlessToldToAbort) {
  for (const bool abort : {false, true}) {
    SocketPair pair = tcp_pair();
    {
      SocketTransport transport(std::move(pair.ours));
      if (abort) transport.abort_on_close();
    }
    wait_readable(pair.theirs.get());
    char byte;
    errno = 0;
    const ssize_t got = ::recv(pair.theirs.get(), &byte, 1, 0);
    EXPECT_EQ(got, abort ? -1 : 0);
    EXPECT_EQ(errno, abort ? ECONNRESET : 0);
  }
}

TEST(SocketTransportTcp, CountsWhatThePeerHasAcknowledged) {
  SocketPair pair = tcp_pair();
  const int fd = pair.ours.get();
  SocketTransport transport(std::move(pair.ours));
  const uint64_t before = transport.bytes_acked();
  ASSERT_NE(before, UINT64_MAX);
  EXPECT_EQ(transport.bytes_acked(), before);
  write_text(transport, "0123456789");
  wait_readable(pair.theirs.get());
  EXPECT_EQ(take(pair.theirs), "0123456789");
  put(pair.theirs, "answer");  // carries the acknowledgement
  wait_readable(fd);
  EXPECT_EQ(transport.bytes_acked(), before + 10);
}

// What retry.non_idempotent: fin_proved rests on.
TEST(SocketTransportTcp, BytesThatMeetAClosedPeerAreNeverAcknowledged) {
  SocketPair pair = tcp_pair();
  const int fd = pair.ours.get();
  SocketTransport transport(std::move(pair.ours));
  const uint64_t before = transport.bytes_acked();
  pair.theirs.reset();
  wait_readable(fd);
  EXPECT_EQ(write_text(transport, "POST").status, IoStatus::Ok);
  EXPECT_EQ(transport.bytes_acked(), before);
}

TEST(SocketTransportUnix, KnowsNoAcknowledgements) {
  SocketPair pair = unix_pair();
  const SocketTransport transport(std::move(pair.ours));
  EXPECT_EQ(transport.bytes_acked(), UINT64_MAX);
}

TEST(SocketTransportTcp, AClosedDescriptorIsAnErrorEverywhere) {
  SocketTransport transport{UniqueFd()};
  char byte;
  EXPECT_EQ(transport.read(&byte, 1).status, IoStatus::Reset);
  EXPECT_EQ(write_text(transport, "x").status, IoStatus::Reset);
  EXPECT_EQ(transport.probe(), Probe::Reset);
  EXPECT_EQ(transport.finish_connect().status, IoStatus::Reset);
  EXPECT_EQ(transport.bytes_acked(), UINT64_MAX);
}

TEST(SocketTransportTcp, WhatTheKernelCannotWatchIsNotAttached) {
  SocketTransport transport{UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))};
  event::Loop loop;
  Recorder handler;
  EXPECT_FALSE(transport.attach(loop, handler));
}

}  // namespace
}  // namespace berth::net
