// What the simulator once found on the client's side.
#include <gtest/gtest.h>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

size_t count(std::string_view text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(Client, WhatIsPipelinedBeforeAFinIsAnswered) {
  Stage stage;
  stage.upstream().servers.clear();  // every request is answered at once
  stage.apply();
  auto client = stage.call();
  client.say(std::string(kGet) + std::string(kGet) + std::string(kGet));
  client.end().shut_down();
  stage.settle();
  EXPECT_EQ(count(client.hear(), "HTTP/1.1 503"), 3U);
  EXPECT_TRUE(client.end().fin_arrived());
}

TEST(Client, WhoHasAskedAlreadyIsNotEvicted) {
  Stage stage;
  stage.listener().max_connections = 1;
  stage.apply();
  stage.stand_at_once();
  auto client = stage.call();
  client.say(std::string(kGet) + std::string(kGet));
  stage.settle();
  // The first answer is complete, and the second request here; another client comes in the same
  // turn.
  stage.server(0).say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  auto other = stage.call();
  EXPECT_TRUE(other.hung_up());
  stage.server(0).say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  stage.settle();
  EXPECT_EQ(count(client.hear(), "HTTP/1.1 200"), 2U);
}

// Whatever the reason for which the connection ends: the rest of the body, which is on its way,
// must not meet a closed socket, whose RST would take the answer away from the client.
TEST(Client, WhoIsAnsweredBeforeItsUploadEndsKeepsTheAnswer) {
  for (const char* end : {"HTTP/1.0\r\n", "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
                          "HTTP/1.1\r\nHost: a\r\n"}) {
    Stage stage;
    stage.upstream().request_buffer = 1;
    stage.apply();
    stage.stand_at_once();
    auto client = stage.call();
    client.say("POST / " + std::string(end) + "Content-Length: 10\r\n\r\nxx");
    stage.settle();
    stage.server(0).say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    stage.settle();
    client.say("xxxxxxxx");
    stage.settle();
    EXPECT_FALSE(client.end().rst_arrived()) << end;
    EXPECT_TRUE(client.hear().ends_with("hi")) << end;
    EXPECT_TRUE(client.end().fin_arrived()) << end;
    client.end().shut_down();
    stage.settle();
  }
}

}  // namespace
}  // namespace berth::sim
