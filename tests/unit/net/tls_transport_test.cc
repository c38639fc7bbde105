// TLS over a transport in memory that takes as much as it is told to.
#include "proxy/net/tls_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "proxy/net/send_queue.h"
#include "proxy/net/tls_client.h"
#include "proxy/net/tls_files.h"
#include "proxy/net/tls_server.h"
#include "tests/unit/net/fake_transport.h"
#include "tests/unit/net/tls_ends.h"

namespace berth::net {
namespace {

class TlsTransportTest : public testing::Test {
 protected:
  TlsTransportTest() {
    server_settings.enabled = true;
    server_settings.certificates = {files.pair};
    client_settings.enabled = true;
    client_settings.ca = files.pair.certificate;
  }

  // Both ends, without a handshake yet.
  void open() {
    ours.reset();
    theirs.reset();
    to_us = {};
    to_them = {};
    TlsFiles read;
    const auto server = std::make_shared<TlsServer>(
        TlsServer::Options{
            .settings = server_settings, .listener = ":1", .ticket_keys = keys, .http2 = false},
        read);
    ours = server->accept(std::make_unique<FakeTransport>(to_us, to_them), nobody);
    theirs = connector()->connect(std::make_unique<FakeTransport>(to_them, to_us), nobody);
  }
  std::shared_ptr<TlsServerConnector> connector(const std::string& name = "localhost") {
    TlsFiles read;
    return std::make_shared<TlsServerConnector>(std::make_shared<TlsClient>(client_settings, read),
                                                name);
  }
  void shake_hands() {
    open();
    IoStatus mine = IoStatus::Again;
    IoStatus other = IoStatus::Again;
    for (int i = 0; i < 10 && (mine == IoStatus::Again || other == IoStatus::Again); ++i) {
      if (other == IoStatus::Again) other = theirs->finish_connect().status;
      if (mine == IoStatus::Again) mine = ours->finish_connect().status;
    }
    ASSERT_EQ(mine, IoStatus::Ok);
    ASSERT_EQ(other, IoStatus::Ok);
  }
  static std::string read_all(Transport& from, IoStatus* end = nullptr) {
    std::string out;
    std::string block(Scratch::kSize, '\0');
    for (;;) {
      const IoResult got = from.read(block.data(), block.size());
      if (got.status != IoStatus::Ok) {
        if (end != nullptr) *end = got.status;
        return out;
      }
      out.append(block.data(), got.bytes);
      if (!got.more) {
        if (end != nullptr) *end = IoStatus::Again;
        return out;
      }
    }
  }
  static IoResult write(Transport& to, std::string_view text) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    return to.write(&part, 1);
  }

  CertificateFiles files;
  config::ListenerTls server_settings;
  config::UpstreamTls client_settings;
  std::shared_ptr<TicketKeys> keys = std::make_shared<TicketKeys>();
  Nobody nobody;
  FakePipe to_us;
  FakePipe to_them;
  std::unique_ptr<Transport> ours;    // the server's end
  std::unique_ptr<Transport> theirs;  // the client's
};

TEST_F(TlsTransportTest, CarriesBytesBothWays) {
  shake_hands();
  ASSERT_NE(ours->security(), nullptr);
  EXPECT_EQ(ours->security()->version, Security::Version::Tls13);
  EXPECT_FALSE(ours->security()->resumed);
  EXPECT_EQ(write(*theirs, "hello").bytes, 5U);
  EXPECT_EQ(read_all(*ours), "hello");
  const std::string large(300'000, 'x');
  EXPECT_EQ(write(*ours, large).bytes, large.size());
  EXPECT_EQ(read_all(*theirs), large);
}

TEST_F(TlsTransportTest, ThePartsOfAWriteShareRecords) {
  shake_hands();
  to_them.bytes.clear();
  char head[] = "head";
  char body[] = "body";
  const iovec parts[] = {{head, 4}, {body, 4}};
  EXPECT_EQ(ours->write(parts, 2).bytes, 8U);
  EXPECT_EQ(to_them.bytes.size(), 8U + 22U);  // one record
}

// "All accepted" is "all in the kernel": otherwise closing would lose the end.
TEST_F(TlsTransportTest, NothingCountsAsAcceptedBeforeItsCiphertextIsTaken) {
  shake_hands();
  read_all(*theirs);
  to_them.bytes.clear();
  to_them.room = 20;
  EXPECT_EQ(write(*ours, "request").status, IoStatus::Again);  // 29 bytes of ciphertext
  to_them.room = 8;
  EXPECT_EQ(write(*ours, "request").bytes, 0U);
  to_them.room = 1;
  EXPECT_EQ(write(*ours, "request").bytes, 7U);
  EXPECT_EQ(read_all(*theirs), "request");
}

TEST_F(TlsTransportTest, ProgressShowsWhileALargeWriteGoesOut) {
  shake_hands();
  read_all(*theirs);
  const std::string large(60'000, 'y');
  std::string_view left = large;
  std::string received;
  size_t steps = 0;
  for (; !left.empty(); ++steps) {
    to_them.room = 10'000;
    const IoResult sent = write(*ours, left);
    ASSERT_NE(sent.status, IoStatus::Reset);
    left.remove_prefix(sent.bytes);
    if (!left.empty()) {
      EXPECT_LE(to_them.bytes.size(), 10'000U);
    }
    received += read_all(*theirs);
    ASSERT_LE(large.size() - left.size(), received.size() + 16'384);
    ASSERT_LT(steps, 20U);
  }
  EXPECT_GE(steps, 6U);
  EXPECT_EQ(received, large);
}

// As the connections use it: a SendQueue over any window gives the same bytes.
TEST_F(TlsTransportTest, RandomWindowsLoseNothing) {
  shake_hands();
  std::mt19937 random(7);
  Scratch scratch;
  SendQueue queue;
  std::string sent;
  std::string received;
  for (int i = 0; i < 400; ++i) {
    std::string piece(random() % (i % 10 == 0 ? 90'000 : 900), static_cast<char>('a' + i % 26));
    piece += std::to_string(i);
    const iovec parts[] = {{piece.data(), piece.size() / 3},
                           {piece.data() + piece.size() / 3, piece.size() - piece.size() / 3}};
    to_them.room = random() % 3 == 0 ? random() % 50 : random() % 100'000;
    ASSERT_EQ(queue.send(*ours, parts, 2, scratch).status, IoStatus::Ok);
    sent += piece;
    to_them.room = random() % 30'000;
    ASSERT_EQ(queue.flush(*ours).status, IoStatus::Ok);
    received += read_all(*theirs);
  }
  to_them.room = SIZE_MAX;
  queue.flush(*ours);
  received += read_all(*theirs);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(received, sent);
}

TEST_F(TlsTransportTest, AQuietSessionStaysQuietWhenTicketsCome) {
  shake_hands();
  EXPECT_FALSE(to_them.bytes.empty());  // the ticket
  EXPECT_EQ(theirs->probe(), Probe::Quiet);
  EXPECT_TRUE(to_them.bytes.empty());
  write(*ours, "x");
  EXPECT_EQ(theirs->probe(), Probe::Data);
  EXPECT_EQ(read_all(*theirs), "x");
}

TEST_F(TlsTransportTest, ClosingSaysGoodbye) {
  shake_hands();
  read_all(*theirs);
  write(*ours, "last");
  ours.reset();
  IoStatus end = IoStatus::Ok;
  EXPECT_EQ(read_all(*theirs, &end), "last");
  EXPECT_EQ(end, IoStatus::Eof);
  EXPECT_EQ(theirs->probe(), Probe::Eof);
}

TEST_F(TlsTransportTest, AStreamOfAServerThatIsCutIsReset) {
  shake_hands();
  read_all(*theirs);
  write(*ours, "half");
  to_them.room = 0;  // the goodbye is lost
  ours.reset();
  IoStatus end = IoStatus::Ok;
  EXPECT_EQ(read_all(*theirs, &end), "half");
  EXPECT_EQ(theirs->probe(), Probe::Eof);
  char byte;
  EXPECT_EQ(theirs->read(&byte, 1).status, IoStatus::Reset);
}

TEST_F(TlsTransportTest, AClientThatIsCutHasEnded) {
  shake_hands();
  to_us.room = 0;
  theirs.reset();
  char byte;
  EXPECT_EQ(ours->read(&byte, 1).status, IoStatus::Eof);
}

TEST_F(TlsTransportTest, HalfAStreamCanBeShut) {
  shake_hands();
  read_all(*theirs);
  theirs->shutdown_write();
  EXPECT_EQ(ours->probe(), Probe::Eof);
  EXPECT_EQ(write(*ours, "still").bytes, 5U);
  EXPECT_EQ(read_all(*theirs), "still");
}

TEST_F(TlsTransportTest, SessionsAreResumedUntilTheirKeyIsForgotten) {
  const auto again = connector();
  const auto resumed = [&] {
    open();
    theirs.reset();
    to_us = {};
    theirs = again->connect(std::make_unique<FakeTransport>(to_them, to_us), nobody);
    for (int i = 0; i < 4; ++i) {
      theirs->finish_connect();
      ours->finish_connect();
    }
    EXPECT_NE(ours->security(), nullptr);
    theirs->probe();  // the ticket
    return ours->security() != nullptr && ours->security()->resumed;
  };
  EXPECT_FALSE(resumed());
  EXPECT_TRUE(resumed());
  EXPECT_TRUE(resumed());
  keys->rotate();
  keys->rotate();
  EXPECT_TRUE(resumed());  // and a new ticket
  for (int i = 0; i < 3; ++i) keys->rotate();
  EXPECT_FALSE(resumed());
}

TEST_F(TlsTransportTest, WhoeverHasAnotherNameIsNotTheServer) {
  open();
  theirs.reset();
  to_us = {};
  theirs =
      connector("other.test")->connect(std::make_unique<FakeTransport>(to_them, to_us), nobody);
  theirs->finish_connect();
  ours->finish_connect();
  const auto result = theirs->finish_connect();
  EXPECT_EQ(result.status, IoStatus::Reset);
  EXPECT_EQ(result.reason, CloseReason::ServerCertificateName);
  EXPECT_NE(theirs->failure_detail().find("ostname mismatch"), std::string_view::npos)
      << theirs->failure_detail();
  EXPECT_NE(theirs->failure_detail().find("asked for: other.test"), std::string_view::npos)
      << theirs->failure_detail();
  EXPECT_EQ(ours->finish_connect().reason, CloseReason::TlsClientRefused);
}

TEST_F(TlsTransportTest, PlainHttpIsAnsweredInClear) {
  open();
  to_us.bytes = "DELETE / HTTP/1.1\r\n";
  const auto result = ours->finish_connect();
  EXPECT_EQ(result.status, IoStatus::Reset);
  EXPECT_EQ(result.reason, CloseReason::PlainHttpToTls);
  to_them.bytes.clear();
  write(*ours, "HTTP/1.1 400");
  EXPECT_EQ(to_them.bytes, "HTTP/1.1 400");
}

// Flipped bits, cut and repeated pieces: the session ends, and nothing that was not sent is read.
TEST_F(TlsTransportTest, WhatWasTamperedWithIsNeverRead) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    shake_hands();
    to_us.bytes.clear();
    const std::string sent(random() % 40'000 + 1, 'z');
    write(*theirs, sent);
    std::string& wire = to_us.bytes;
    wire[random() % wire.size()] ^= static_cast<char>(1 << random() % 8);
    to_us.fin = true;
    const std::string got = read_all(*ours);
    EXPECT_LT(got.size(), sent.size());
    EXPECT_TRUE(sent.starts_with(got));
  }
}

TEST(TlsFilesTest, AKeyOfAnotherCertificateIsRefusedByName) {
  const CertificateFiles one;
  const CertificateFiles two;
  TlsFiles read;
  try {
    const CertificatePair pair({one.pair.certificate, two.pair.key}, "certificates[0].", read);
    FAIL();
  } catch (const TlsSettingsError& error) {
    EXPECT_EQ(error.setting(), "certificates[0].key");
    EXPECT_EQ(error.what(),
              "key " + two.pair.key + " does not belong to certificate " + one.pair.certificate);
  }
}

}  // namespace
}  // namespace berth::net
