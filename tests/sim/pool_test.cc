// What the simulator once found in the pools, each told as it happens.
#include <gtest/gtest.h>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

bool answered(std::string_view heard, std::string_view status = "200") {
  return heard.starts_with("HTTP/1.1 " + std::string(status));
}

TEST(Pool, AHandedOverConnectionThatCannotBeAttachedLeavesItsRequestWaiting) {
  Stage stage(2);
  stage.upstream().pool.max_connections = 1;
  stage.apply();
  stage.stand_at_once();
  auto first = stage.call(0);
  first.say(kGet);
  stage.settle();
  ASSERT_EQ(stage.dialled(), 1U);
  auto second = stage.call(1);
  second.say(kGet);
  stage.settle();
  EXPECT_EQ(stage.waiting(), 1U);

  stage.worker(1).network().set_attach_failures(1000);
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(answered(first.hear()));
  // The connection died on its way to worker 1; its slot makes room for another.
  ASSERT_EQ(stage.dialled(), 2U);
  stage.server(1).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(answered(second.hear()));
}

// Of HTTP/2: the connection's beginning, and so many GETs at once.
std::string http2_gets(int count) {
  constexpr std::string_view kSettings("\0\0\0\x4\0\0\0\0\0", 9);
  constexpr std::string_view kHead("\0\0\x6\x1\x5\0\0\0", 8);  // but for the stream's id
  constexpr std::string_view kBlock =
      "\x82\x84\x86\x41\x01"
      "a";  // GET / http a
  std::string text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(kSettings);
  for (int i = 0; i < count; ++i) {
    text += kHead;
    text += static_cast<char>(2 * i + 1);
    text += kBlock;
  }
  return text;
}

// One worker has one idle connection for those who come at once, the other three: that the first
// has one is no reason to leave one of the other's unused.
TEST(Pool, WhoWaitsBesideAnIdleConnectionForAnotherGetsOneFromElsewhere) {
  Stage stage(2);
  stage.listener().http2.cleartext = true;
  stage.upstream().servers = {{"10.0.0.1:80"}, {.address = "10.0.0.2:80", .weight = 100}};
  stage.upstream().pool.max_connections = 2;
  stage.apply();
  stage.stand_at_once();
  for (const uint32_t worker : {1, 1, 1, 0}) stage.call(worker).say(kGet);
  stage.settle();
  ASSERT_EQ(stage.dialled(), 4U);
  for (size_t i = 0; i < 4; ++i) stage.server(i).say(kAnswer);
  stage.settle();
  stage.pass(10ms);
  stage.call(0).say(http2_gets(4));
  stage.settle();
  EXPECT_EQ(stage.waiting(), 0U);
}

TEST(Pool, WhoComesBackToTheQueueKeepsItsPlace) {
  upstream::WaiterQueue queue;
  upstream::Ticket* tickets[4];
  for (upstream::Ticket*& ticket : tickets) {
    ticket = queue.push(std::make_unique<upstream::Ticket>(), 10);
    ASSERT_NE(ticket, nullptr);
  }
  const auto any = [](const upstream::Ticket&) { return true; };
  upstream::TicketPtr first = queue.pop_if(any);
  upstream::TicketPtr second = queue.pop_if(any);
  ASSERT_EQ(queue.withdraw(*first), nullptr);
  ASSERT_NE(queue.withdraw(*tickets[2]), nullptr);
  queue.put_back(std::move(first));
  queue.put_back(std::move(second));
  std::vector<const upstream::Ticket*> order;
  queue.for_each([&](const upstream::Ticket& ticket) { order.push_back(&ticket); });
  EXPECT_EQ(order, (std::vector<const upstream::Ticket*>{tickets[0], tickets[1], tickets[3]}));
}

TEST(Pool, TheQueueIsServedWhenABackOffEnds) {
  Stage stage;
  stage.upstream().servers = {{"10.0.0.1:80"}, {"10.0.0.2:80"}};
  stage.upstream().pool.max_connections = 1;
  stage.upstream().retry.attempts = 1;
  stage.apply();
  auto first = stage.call();
  first.say(kGet);
  stage.settle();
  stage.stand(0);  // one server is busy
  auto second = stage.call();
  second.say(kGet);
  stage.settle();
  ASSERT_EQ(stage.dialled(), 2U);
  stage.refuse(1);  // the other one is away
  EXPECT_EQ(stage.waiting(), 1U);
  auto third = stage.call();
  third.say(kGet);
  stage.settle();
  EXPECT_EQ(stage.waiting(), 2U);
  EXPECT_EQ(stage.dialled(), 2U);

  stage.pass(upstream::Backoff::kFirst + 2ms);
  ASSERT_EQ(stage.dialled(), 3U);
  EXPECT_EQ(stage.server_address(2), stage.server_address(1));
}

TEST(Pool, TheQueueIsServedWhenAServerIsBack) {
  Stage stage;
  stage.upstream().pool.max_connections = 2;
  stage.upstream().retry.attempts = 1;
  stage.apply();
  auto first = stage.call();
  first.say(kGet);
  auto second = stage.call();
  second.say(kGet);
  stage.settle();
  ASSERT_EQ(stage.dialled(), 2U);
  auto third = stage.call();
  third.say(kGet);
  stage.settle();
  EXPECT_EQ(stage.waiting(), 1U);
  stage.refuse(0);
  EXPECT_EQ(stage.dialled(), 2U);  // it backs off
  stage.stand(1);                  // and is there after all
  EXPECT_EQ(stage.dialled(), 3U);
}

TEST(Pool, AConnectionThatNobodyWaitsForAnyMoreIsNotKeptForAServerThatIsGone) {
  Stage stage;
  stage.upstream().servers = {{"10.0.0.1:80"}, {"10.0.0.2:80"}};
  stage.apply();
  auto client = stage.call();
  client.say(kGet);
  stage.settle();
  ASSERT_EQ(stage.dialled(), 1U);
  const std::string gone = stage.server_address(0).to_string();
  client.end().reset();
  stage.settle();
  stage.upstream().servers = {{gone == "10.0.0.1:80" ? "10.0.0.2:80" : "10.0.0.1:80"}};
  stage.apply();
  stage.stand(0);
  EXPECT_TRUE(stage.server(0).hung_up());
}

TEST(Pool, ALeaseThatWasNotUsedMakesNothingYounger) {
  Stage stage;
  stage.upstream().pool.max_connections = 1;
  stage.upstream().pool.max_upgraded = 0;
  stage.apply();
  stage.stand_at_once();
  auto client = stage.call();
  client.say(kGet);
  stage.settle();
  stage.server(0).say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=5\r\n\r\n");
  stage.settle();
  EXPECT_TRUE(answered(client.hear()));
  stage.pass(3s);
  // Refused for want of an upgrade, after it had got the connection.
  client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  stage.settle();
  EXPECT_TRUE(answered(client.hear(), "503"));
  EXPECT_FALSE(stage.server(0).hung_up());
  stage.pass(1500ms);
  EXPECT_TRUE(stage.server(0).hung_up());  // 4 s after its last response
}

TEST(Pool, ASlowReaderDoesNotMakeAConnectionYounger) {
  Stage stage;
  stage.upstream().response_buffer = 0;
  stage.apply();
  stage.stand_at_once();
  auto client = stage.call();
  client.say(kGet);
  stage.settle();
  // More than the client's window: what does not fit holds the server back, with its last bytes
  // unread.
  std::string response =
      "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\nKeep-Alive: timeout=5\r\n\r\n";
  response += std::string(70'000, 'x');
  stage.server(0).say(response.substr(0, 65'536));
  stage.settle();
  stage.server(0).say(response.substr(65'536));
  stage.settle();
  ASSERT_FALSE(stage.server(0).link->near().unread().empty());
  // The server counts its five seconds from here on. The client reads on after three.
  stage.pass(3s);
  size_t heard = 0;
  while (heard < 70'000) {
    heard += client.hear().size();
    stage.settle();
  }
  EXPECT_FALSE(stage.server(0).hung_up());
  stage.pass(1500ms);
  EXPECT_TRUE(stage.server(0).hung_up());
}

TEST(Pool, AStreamedUploadIsNotTimedByConnecting) {
  Stage stage;
  stage.upstream().connect_timeout = 2s;
  stage.upstream().request_buffer = 100;
  stage.apply();
  stage.stand_at_once();
  auto client = stage.call();
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n" + std::string(200, 'x'));
  for (int i = 0; i < 10; ++i) {
    stage.pass(1s);
    client.say(std::string(20, 'x'));
  }
  stage.settle();
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(answered(client.hear()));
}

// --- Tunnels.

struct Tunnel : testing::Test {
  Tunnel() {
    stage.apply();
    stage.stand_at_once();
    client = stage.call();
    client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    stage.settle();
    server = stage.server(0);
    server.hear();
    server.say(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    stage.settle();
    client.hear();
  }
  // As much as all windows and buffers between the two take.
  size_t fill(Stage::Peer& from) {
    size_t taken = 0;
    for (bool more = true; more;) {
      bool error = false;
      const size_t now = from.end().write(std::string(10'000, 'x'), error);
      stage.settle();
      taken += now;
      more = now > 0;
    }
    return taken;
  }
  size_t drain(Stage::Peer& to) {
    size_t heard = 0;
    for (bool more = true; more;) {
      const size_t now = to.hear().size();
      heard += now;
      stage.settle();
      more = now > 0;
    }
    return heard;
  }
  Stage stage;
  Stage::Peer client;
  Stage::Peer server;
};

TEST_F(Tunnel, IsNotShutDownByAPartialWrite) {
  const size_t said = fill(client);
  EXPECT_EQ(drain(server), said);
  EXPECT_FALSE(server.hung_up());
  client.say("more");
  stage.settle();
  EXPECT_EQ(server.hear(), "more");
}

TEST_F(Tunnel, DeliversEverythingBeforeItEnds) {
  const size_t said = fill(client);
  server.end().shut_down();
  stage.settle();
  client.end().shut_down();
  stage.settle();
  EXPECT_EQ(drain(server), said);
  EXPECT_TRUE(server.end().fin_arrived());
  EXPECT_FALSE(server.end().rst_arrived());
}

TEST_F(Tunnel, HalfOfItMayEndFirst) {
  server.end().shut_down();
  stage.settle();
  EXPECT_TRUE(client.end().fin_arrived());
  const size_t said = fill(client);  // with writes that wait for the server
  EXPECT_EQ(drain(server), said);
  client.say("the last");
  client.end().shut_down();
  stage.settle();
  EXPECT_EQ(server.hear(), "the last");
}

// --- FIN and RST.

TEST(Pool, ABodyUntilCloseThatEndsByResetIsNotComplete) {
  Stage stage;
  stage.upstream().request_buffer = 10;
  stage.apply();
  stage.stand_at_once();
  auto client = stage.call();
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + std::string(50, 'x'));
  stage.settle();
  stage.server(0).say("HTTP/1.1 200 OK\r\n\r\nhalf of");
  stage.settle();
  EXPECT_TRUE(answered(client.hear()));
  stage.server(0).end().reset();
  client.say(std::string(50, 'x'));  // may be written before the reset is read
  stage.settle();
  // The last chunk is missing, which tells it from a whole one.
  EXPECT_EQ(client.hear().find("0\r\n\r\n"), std::string::npos);
  EXPECT_TRUE(client.end().fin_arrived());
  EXPECT_FALSE(client.end().rst_arrived());
}

}  // namespace
}  // namespace berth::sim
