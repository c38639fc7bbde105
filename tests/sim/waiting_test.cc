// A server that restarts, and those who wait for it: over several workers.
#include <gtest/gtest.h>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

// The server has served, and is away.
class RestartingServer : public testing::Test {
 protected:
  void SetUp() override {
    stage_.apply();
    ask(0, "/first");
    stage_.stand(0);
    stage_.server(0).say(kAnswer);
    stage_.settle();
    stage_.server(0).hear();
    stage_.server(0).end().close();
    stage_.settle();
  }
  Stage::Peer ask(uint32_t worker, const std::string& path) {
    auto client = stage_.call(worker);
    client.say(get(path));
    stage_.settle();
    return client;
  }
  std::string asked(size_t server) {
    const std::string heard = stage_.server(server).hear();
    return heard.substr(0, heard.find(" HTTP"));
  }

  Stage stage_{2};
};

TEST_F(RestartingServer, IsTriedByOneConnectionOverAllWorkers) {
  ask(0, "/1");
  ask(1, "/2");
  ASSERT_EQ(stage_.dialled(), 3U);
  stage_.refuse(1);
  stage_.refuse(2);
  ask(0, "/3");
  ask(1, "/4");
  EXPECT_EQ(stage_.waiting(), 4U);
  EXPECT_EQ(stage_.dialled(), 3U);
  stage_.pass(upstream::Backoff::kFirst + 2ms);
  EXPECT_EQ(stage_.dialled(), 4U);
  stage_.pass(1s);
  EXPECT_EQ(stage_.dialled(), 4U);
}

TEST_F(RestartingServer, ServesInTheOrderOfArrivalWhenItIsBack) {
  ask(0, "/1");
  ask(1, "/2");
  ask(0, "/3");
  stage_.refuse(2);
  ask(1, "/4");
  stage_.refuse(3);
  stage_.refuse(1);
  stage_.upstream().pool.max_connections = 1;
  stage_.apply();
  stage_.pass(upstream::Backoff::kFirst + 2ms);
  ASSERT_EQ(stage_.dialled(), 5U);
  stage_.stand(4);
  for (const char* path : {"/1", "/2", "/3", "/4"}) {
    EXPECT_EQ(asked(4), "GET " + std::string(path));
    stage_.server(4).say(kAnswer);
    stage_.settle();
  }
  EXPECT_EQ(stage_.dialled(), 5U);
}

}  // namespace
}  // namespace berth::sim
