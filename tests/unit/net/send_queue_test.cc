#include "proxy/net/send_queue.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/net/fake_transport.h"

namespace berth::net {
namespace {

class SendQueueTest : public testing::Test {
 protected:
  IoResult send(const std::vector<std::string_view>& texts) {
    std::vector<iovec> parts;
    for (const std::string_view text : texts) {
      parts.push_back({const_cast<char*>(text.data()), text.size()});
    }
    return queue.send(transport, parts.data(), static_cast<int>(parts.size()), scratch);
  }
  // As a read into the scratch leaves it.
  std::string_view read_into_scratch(char with, size_t size) {
    std::memset(scratch.data(), with, size);
    return {scratch.data(), size};
  }
  void take(size_t most) { peer.turns.push_back({IoStatus::Ok, most}); }
  void full() { peer.turns.push_back({IoStatus::Again, 0}); }
  void gone() { peer.turns.push_back({IoStatus::Reset, 0}); }

  FakePipe nothing;  // the peer says
  FakePipe peer;     // takes as much as it is told to
  FakeTransport transport{nothing, peer};
  Scratch scratch;
  SendQueue queue;
};

TEST_F(SendQueueTest, WritesAtOnceWhatThePeerTakes) {
  const IoResult sent = send({"head", "body"});
  EXPECT_EQ(sent.status, IoStatus::Ok);
  EXPECT_EQ(sent.bytes, 8u);
  EXPECT_EQ(peer.bytes, "headbody");
  EXPECT_EQ(peer.writes, 1);
  EXPECT_TRUE(queue.empty());
}

TEST_F(SendQueueTest, KeepsTheRestOfAShortWrite) {
  for (size_t taken = 0; taken <= 12; ++taken) {
    SCOPED_TRACE(taken);
    peer.bytes.clear();
    peer.turns.clear();
    queue.clear();
    take(taken);
    const IoResult sent = send({"head", "", "bo", "dy", "tail"});
    EXPECT_EQ(sent.status, IoStatus::Ok);
    EXPECT_EQ(sent.bytes, taken);
    EXPECT_EQ(queue.size(), 12 - taken);
    EXPECT_EQ(queue.empty(), taken == 12);
    const IoResult rest = queue.flush(transport);
    EXPECT_EQ(rest.status, IoStatus::Ok);
    EXPECT_EQ(rest.bytes, 12 - taken);
    EXPECT_EQ(peer.bytes, "headbodytail");
    EXPECT_TRUE(queue.empty());
  }
}

TEST_F(SendQueueTest, KeepsEverythingWhenThePeerIsFull) {
  full();
  const IoResult sent = send({"abc"});
  EXPECT_EQ(sent.status, IoStatus::Ok);
  EXPECT_EQ(sent.bytes, 0u);
  EXPECT_EQ(queue.size(), 3u);
}

TEST_F(SendQueueTest, WhatComesLaterWaitsBehindWhatIsQueued) {
  take(1);
  send({"abc"});
  const int before = peer.writes;
  const IoResult sent = send({"def"});
  EXPECT_EQ(sent.status, IoStatus::Ok);
  EXPECT_EQ(sent.bytes, 0u);
  EXPECT_EQ(peer.writes, before) << "no system call while the peer is known to be full";
  EXPECT_EQ(queue.size(), 5u);
  queue.flush(transport);
  EXPECT_EQ(peer.bytes, "abcdef");
}

TEST_F(SendQueueTest, FlushGoesOnWhereThePeerStopped) {
  take(0);
  send({"abcdef"});
  take(2);
  EXPECT_EQ(queue.flush(transport).bytes, 2u);
  EXPECT_EQ(queue.size(), 4u);
  full();
  const IoResult none = queue.flush(transport);
  EXPECT_EQ(none.status, IoStatus::Ok);
  EXPECT_EQ(none.bytes, 0u);
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.flush(transport).bytes, 4u);
  EXPECT_EQ(peer.bytes, "abcdef");
}

TEST_F(SendQueueTest, AShortWriteEndsTheFlush) {
  take(0);
  send({"abcdef"});
  take(2);
  const int before = peer.writes;
  queue.flush(transport);
  EXPECT_EQ(peer.writes, before + 1) << "a second write could only meet a full peer";
}

TEST_F(SendQueueTest, ALongQueueIsFlushedInSeveralWrites) {
  // Each too large to share a block with the one before.
  std::string expected;
  take(0);
  for (int i = 0; i < 40; ++i) {
    const std::string part(20000, static_cast<char>('A' + i));
    send({part});
    expected += part;
  }
  const int before = peer.writes;
  const IoResult sent = queue.flush(transport);
  EXPECT_EQ(sent.bytes, expected.size());
  EXPECT_EQ(peer.bytes, expected);
  EXPECT_GT(peer.writes, before + 1);
  EXPECT_TRUE(queue.empty());
}

TEST_F(SendQueueTest, ABrokenConnectionIsReportedByBoth) {
  gone();
  EXPECT_EQ(send({"abc"}).status, IoStatus::Reset);
  EXPECT_TRUE(queue.empty());
  full();
  send({"abc"});
  gone();
  EXPECT_EQ(queue.flush(transport).status, IoStatus::Reset);
}

TEST_F(SendQueueTest, FlushOfNothingDoesNothing) {
  const IoResult sent = queue.flush(transport);
  EXPECT_EQ(sent.status, IoStatus::Ok);
  EXPECT_EQ(sent.bytes, 0u);
  EXPECT_EQ(peer.writes, 0);
}

TEST_F(SendQueueTest, ClearForgetsWhatIsQueued) {
  full();
  send({"abc"});
  queue.clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(send({"def"}).bytes, 3u);
  EXPECT_EQ(peer.bytes, "def");
}

// --- The scratch

TEST_F(SendQueueTest, ManyBytesOfTheScratchTakeItsBlockOver) {
  const std::string_view body = read_into_scratch('b', Scratch::kSize);
  take(1000);
  send({"head", body, "tail"});
  EXPECT_FALSE(scratch.contains(body.data()));
  read_into_scratch('z', Scratch::kSize);  // the next read does no harm
  queue.flush(transport);
  EXPECT_EQ(peer.bytes, "head" + std::string(Scratch::kSize, 'b') + "tail");
}

TEST_F(SendQueueTest, FewBytesOfTheScratchAreCopied) {
  const std::string_view body = read_into_scratch('b', Scratch::kSize / 2 - 1);
  full();
  send({body});
  EXPECT_TRUE(scratch.contains(body.data()));
  read_into_scratch('z', Scratch::kSize);
  queue.flush(transport);
  EXPECT_EQ(peer.bytes, std::string(Scratch::kSize / 2 - 1, 'b'));
}

TEST_F(SendQueueTest, FewBytesThatAreLeftOfManyAreCopied) {
  const std::string_view body = read_into_scratch('b', Scratch::kSize);
  take(Scratch::kSize - 10);
  send({body});
  EXPECT_TRUE(scratch.contains(body.data()));
  EXPECT_EQ(queue.size(), 10u);
}

TEST_F(SendQueueTest, AllOfTheScratchSentLeavesItAlone) {
  const std::string_view body = read_into_scratch('b', Scratch::kSize);
  send({body});
  EXPECT_TRUE(scratch.contains(body.data()));
}

TEST_F(SendQueueTest, ManyBytesThatAreNotTheScratchsAreCopied) {
  std::string body(Scratch::kSize, 'b');
  full();
  send({body});
  body.assign(Scratch::kSize, 'z');
  queue.flush(transport);
  EXPECT_EQ(peer.bytes, std::string(Scratch::kSize, 'b'));
}

// What follows in the block that was taken over may still be read by whoever fills the scratch: it
// stays as it is.
TEST_F(SendQueueTest, TakingABlockOverLeavesTheBytesBehindItAlone) {
  std::string_view all = read_into_scratch('b', Scratch::kSize / 2);
  char* next_request = scratch.data() + all.size();
  std::memcpy(next_request, "GET /next", 9);
  full();
  send({"8000\r\n", all, "\r\n0\r\n\r\n"});
  EXPECT_EQ(std::string_view(next_request, 9), "GET /next");
  queue.flush(transport);
  EXPECT_EQ(peer.bytes, "8000\r\n" + std::string(Scratch::kSize / 2, 'b') + "\r\n0\r\n\r\n");
}

TEST_F(SendQueueTest, TwoPartsOfOneScratchBothArrive) {
  const std::string_view all = read_into_scratch('a', Scratch::kSize);
  std::memset(scratch.data() + Scratch::kSize / 2, 'b', Scratch::kSize / 2);
  const std::string_view first = all.substr(0, Scratch::kSize / 2 - 100);
  const std::string_view second = all.substr(Scratch::kSize / 2, 1000);
  full();
  send({first, second});
  queue.flush(transport);
  EXPECT_EQ(peer.bytes, std::string(first.size(), 'a') + std::string(1000, 'b'));
}

TEST_F(SendQueueTest, NothingIsLostDoubledOrReorderedUnderRandomUse) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    peer.bytes.clear();
    peer.turns.clear();
    queue.clear();
    std::string expected;
    size_t accepted = 0;
    for (int i = 0; i < 60; ++i) {
      switch (random() % 3) {
        case 0:
          full();
          break;
        case 1:
          take(random() % 70'000);
          break;
        default:
          break;
      }
      if (random() % 3 == 0) {
        accepted += queue.flush(transport).bytes;
      } else {
        const char with = static_cast<char>('a' + i % 26);
        const std::string head(random() % 200, 'H');
        const std::string_view body = read_into_scratch(with, random() % Scratch::kSize);
        expected += head;
        expected += body;
        expected += "\r\n";
        accepted += send({head, body, "\r\n"}).bytes;
      }
      ASSERT_EQ(accepted, peer.bytes.size());
      ASSERT_EQ(queue.size(), expected.size() - accepted);
    }
    peer.turns.clear();
    queue.flush(transport);
    ASSERT_TRUE(peer.bytes == expected);
  }
}

}  // namespace
}  // namespace berth::net
