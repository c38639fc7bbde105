// What a server may send that is no valid response to what was asked. Each closes that connection,
// with its reason, counted; and whoever asks next gets its own answer, from another connection.
#include <gtest/gtest.h>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kOwn = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown";
constexpr std::string_view kLeaked = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nleaked";

struct BadInput : testing::Test {
  BadInput() {
    stage.upstream().pool.max_connections = 1;
    stage.upstream().retry.attempts = 1;
    stage.apply();
    client = stage.call();
  }
  void ask(std::string_view method = "GET") {
    client.say(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.settle();
  }
  void answer(std::string_view bytes, size_t connection = 0) {
    stage.server(connection).say(bytes);
    stage.settle();
  }
  uint64_t closed(CloseReason reason) {
    return stage.server_stats()->connections_closed[reason].value();
  }
  // The first connection has ended, for this reason and no other, and the next request is none the
  // worse for it.
  void expect_closed(CloseReason reason) {
    EXPECT_TRUE(stage.server(0).hung_up());
    EXPECT_EQ(closed(reason), 1U) << info(reason).label;
    uint64_t all = 0;
    const auto stats = stage.server_stats();
    for (const auto& counter : stats->connections_closed) all += counter.value();
    EXPECT_EQ(all, 1U);
    client = stage.call();
    ask();
    ASSERT_EQ(stage.dialled(), 2U);
    stage.server(1).say(kOwn);
    stage.settle();
    const std::string heard = client.hear();
    EXPECT_TRUE(heard.starts_with("HTTP/1.1 200") && heard.ends_with("own")) << heard;
  }
  // As the server ended it: what had come, and a FIN before the end that its framing asks for.
  void expect_broken_off() {
    const std::string heard = client.hear();
    EXPECT_NE(heard.find("own"), std::string::npos) << heard;
    EXPECT_FALSE(heard.ends_with("0\r\n\r\n")) << heard;
    EXPECT_TRUE(client.end().fin_arrived());
    EXPECT_FALSE(client.end().rst_arrived());
  }
  bool answered(std::string_view with) {
    const std::string heard = client.hear();
    return heard.find(with) != std::string::npos && heard.find("leaked") == std::string::npos;
  }

  Stage stage;
  Stage::Peer client;
};

TEST_F(BadInput, BytesOnAnIdleConnection) {
  stage.stand_at_once();
  ask();
  answer(kOwn);
  EXPECT_TRUE(answered("own"));
  answer("x");
  EXPECT_EQ(client.hear(), "");
  expect_closed(CloseReason::BytesWhileIdle);
}

TEST_F(BadInput, AResponseOnAnIdleConnection) {
  stage.stand_at_once();
  ask();
  answer(kOwn);
  EXPECT_TRUE(answered("own"));
  answer(kLeaked);
  EXPECT_EQ(client.hear(), "");
  expect_closed(CloseReason::BytesWhileIdle);
}

TEST_F(BadInput, TwoResponsesToOneRequest) {
  stage.stand_at_once();
  ask();
  answer(std::string(kOwn) + std::string(kLeaked));
  EXPECT_TRUE(answered("own"));
  expect_closed(CloseReason::LeftoverBytes);
}

TEST_F(BadInput, TheBeginningOfASecondResponse) {
  stage.stand_at_once();
  ask();
  answer(std::string(kOwn) + "H");
  EXPECT_TRUE(answered("own"));
  expect_closed(CloseReason::LeftoverBytes);
}

TEST_F(BadInput, AResponseBeforeTheConnectionWasUsed) {
  ask();
  answer(kLeaked);
  stage.stand(0);
  stage.stand_at_once();
  EXPECT_TRUE(answered("502"));
  expect_closed(CloseReason::BytesWhileIdle);
}

TEST_F(BadInput, AResponseBeforeAnyByteOfTheRequestHasLeft) {
  // A connection that was made for somebody who has left: it is idle, and was never asked anything.
  ask();
  client.end().reset();
  stage.settle();
  stage.stand(0);
  stage.stand_at_once();
  answer(kLeaked);
  expect_closed(CloseReason::BytesWhileIdle);
}

TEST_F(BadInput, ABodyThatIsLongerThanItsLength) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nownleaked");
  EXPECT_TRUE(answered("own"));
  expect_closed(CloseReason::LeftoverBytes);
}

TEST_F(BadInput, ABodyThatIsShorterThanItsLength) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nown");
  stage.server(0).end().shut_down();
  stage.settle();
  expect_broken_off();
  expect_closed(CloseReason::ServerClosed);
}

TEST_F(BadInput, AChunkedBodyWithoutItsEnd) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nown\r\n");
  stage.server(0).end().shut_down();
  stage.settle();
  expect_broken_off();
  expect_closed(CloseReason::ServerClosed);
}

TEST_F(BadInput, AChunkedBodyWithoutItsEndForAClientThatKnowsNoChunks) {
  stage.stand_at_once();
  client.say("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  stage.settle();
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nown\r\n");
  stage.server(0).end().shut_down();
  stage.settle();
  EXPECT_TRUE(client.end().rst_arrived());  // only that tells it from a whole one
  expect_closed(CloseReason::ServerClosed);
}

TEST_F(BadInput, AChunkThatIsLongerThanItsSize) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nownleaked\r\n0\r\n\r\n");
  EXPECT_TRUE(client.hear().find("leaked") == std::string::npos);
  expect_closed(CloseReason::BadResponse);
}

TEST_F(BadInput, BytesBehindTheLastChunk) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nown\r\n0\r\n\r\nleaked");
  EXPECT_TRUE(answered("own"));
  expect_closed(CloseReason::LeftoverBytes);
}

TEST_F(BadInput, ALengthBesideChunks) {
  stage.stand_at_once();
  ask();
  answer(
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nown\r\n0\r\n\r\n");
  const std::string heard = client.hear();
  EXPECT_TRUE(heard.starts_with("HTTP/1.1 200")) << heard;
  EXPECT_TRUE(heard.ends_with("\r\n\r\n3\r\nown\r\n0\r\n\r\n")) << heard;
  EXPECT_EQ(heard.find("Content-Length"), std::string::npos) << heard;
  expect_closed(CloseReason::AmbiguousLength);
}

TEST_F(BadInput, TwoLengths) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 3\r\n\r\nleaked");
  EXPECT_TRUE(answered("502"));
  expect_closed(CloseReason::BadResponse);
}

TEST_F(BadInput, ABodyBehindTheAnswerToHead) {
  stage.stand_at_once();
  ask("HEAD");
  answer(kLeaked);
  EXPECT_TRUE(answered("200"));
  expect_closed(CloseReason::LeftoverBytes);
}

TEST_F(BadInput, ABodyBehind204) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 204 No Content\r\n\r\nleaked");
  EXPECT_TRUE(answered("204"));
  expect_closed(CloseReason::LeftoverBytes);
}

TEST_F(BadInput, WhatIsNoResponseAtAll) {
  stage.stand_at_once();
  ask();
  answer("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_TRUE(answered("502"));
  expect_closed(CloseReason::BadResponse);
}

TEST_F(BadInput, A101ThatNobodyAskedFor) {
  stage.stand_at_once();
  ask();
  answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nleaked");
  EXPECT_TRUE(answered("502"));
  expect_closed(CloseReason::UnexpectedUpgrade);
}

}  // namespace
}  // namespace berth::sim
