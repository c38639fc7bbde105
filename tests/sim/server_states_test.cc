// Servers that are left out, and those who wait in the queue: over several workers.
#include <gtest/gtest.h>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

// Two servers with one connection each, of which the first one that is asked has just been ejected.
class EjectedServer : public testing::Test {
 protected:
  void SetUp() override {
    stage_.upstream().servers = {{"10.0.0.1:80"}, {"10.0.0.2:80"}};
    stage_.upstream().pool.max_connections = 1;
    stage_.upstream().pool.queue_timeout = 60s;
    stage_.upstream().retry.attempts = 2;
    stage_.upstream().ejection.errors = 1;
    stage_.upstream().ejection.time = 10s;
    stage_.apply();
    stage_.stand_at_once();
    auto client = stage_.call();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    stage_.settle();
    ASSERT_EQ(stage_.dialled(), 1U);
    stage_.server(0).end().shut_down();
    stage_.settle();
    ejected_ = stage_.server_address(0);
  }

  Stage::Peer get(uint32_t worker = 0) {
    auto client = stage_.call(worker);
    client.say(kGet);
    stage_.settle();
    return client;
  }

  Stage stage_{2};
  net::Address ejected_;
};

TEST_F(EjectedServer, WhoWaitsDoesNotGetIt) {
  get(0);
  get(1);
  get(1);
  ASSERT_EQ(stage_.dialled(), 2U);
  EXPECT_FALSE(stage_.server_address(1) == ejected_);
  EXPECT_EQ(stage_.waiting(), 2U);
  stage_.pass(9s);
  EXPECT_EQ(stage_.waiting(), 2U);
}

TEST_F(EjectedServer, WhoWaitsGetsItWhenItIsBack) {
  get(0);
  auto waiting = get(1);
  stage_.pass(10s + 2ms);
  ASSERT_EQ(stage_.dialled(), 3U);
  EXPECT_TRUE(stage_.server_address(2) == ejected_);
  stage_.server(2).say(kAnswer);
  stage_.settle();
  EXPECT_TRUE(waiting.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(EjectedServer, WhoWaitsGetsItWhenTheOthersAreGone) {
  get(0);
  get(1);
  EXPECT_EQ(stage_.waiting(), 1U);
  stage_.upstream().servers = {{ejected_.to_string()}};
  stage_.apply();
  stage_.settle();
  ASSERT_EQ(stage_.dialled(), 3U);
  EXPECT_TRUE(stage_.server_address(2) == ejected_);
}

}  // namespace
}  // namespace berth::sim
