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

}  // namespace
}  // namespace berth::sim
