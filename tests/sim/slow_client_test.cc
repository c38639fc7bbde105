// Slow clients: what they may hold, and for how long. Only those who hold a server's connection are
// asked for a rate (DECISIONS.md), and only for time that is theirs.
#include <gtest/gtest.h>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
constexpr uint64_t kRate = 100;
constexpr Duration kPatience = 10s;

struct SlowClient : testing::Test {
  SlowClient() {
    stage.listener().body_timeout = stage.listener().send_timeout = kPatience;
    stage.listener().min_body_rate = stage.listener().min_send_rate = kRate;
    stage.upstream().request_buffer = 1000;
    stage.upstream().response_buffer = 1000;
    stage.upstream().idle_timeout = stage.upstream().response_timeout = 1h;
    stage.upstream().pool.queue_timeout = 1h;
    stage.upstream().pool.max_connections = 1;
    stage.upstream().pool.rest_timeout.reset();
    stage.disk().max_size = 0;  // what is too long for memory holds a connection
    stage.stand_at_once();
  }
  void begin() {
    stage.apply();
    client = stage.call();
  }
  void upload(uint64_t size, std::string_view first, std::string_view fields = "") {
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n" +
               std::string(fields) + "\r\n" + std::string(first));
    stage.settle();
  }
  // For so many seconds: so many bytes in each.
  void send_on(int seconds, size_t bytes) {
    for (int i = 0; i < seconds; ++i) {
      stage.pass(1s);
      client.say(std::string(bytes, 'x'));
      stage.settle();
    }
  }
  void read_on(int seconds, size_t bytes) {
    for (int i = 0; i < seconds; ++i) {
      stage.pass(1s);
      client.end().consume(std::min(bytes, client.end().unread().size()));
      stage.settle();
    }
  }
  uint64_t refused(CloseReason reason) {
    return stage.listener_stats()->requests_refused[reason].value();
  }
  uint64_t closed(CloseReason reason) {
    return stage.listener_stats()->connections_closed[reason].value();
  }
  // A response that its client does not take at once.
  void answer_with(size_t size) {
    client.say(kGet);
    stage.settle();
    left_to_say = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
                  std::string(size, 'x');
    say_on();
  }
  void say_on() {
    bool error = false;
    while (!left_to_say.empty()) {
      const size_t taken = stage.server(0).end().write(left_to_say, error);
      stage.settle();
      if (taken == 0) return;
      left_to_say.erase(0, taken);
    }
  }

  Stage stage;
  Stage::Peer client;
  std::string left_to_say;
};

// --- Uploads.

TEST_F(SlowClient, BelowTheRateAnUploadLosesItsConnection) {
  begin();
  upload(100'000, std::string(1000, 'x'));
  ASSERT_EQ(stage.dialled(), 1U);
  auto other = stage.call();
  other.say(kGet);
  stage.settle();
  EXPECT_EQ(stage.waiting(), 1U);
  send_on(17, kRate / 2);
  EXPECT_EQ(client.hear(), "");
  send_on(3, kRate / 2);
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(stage.server(0).hung_up());
  EXPECT_EQ(refused(CloseReason::BodyTooSlow), 1U);
  EXPECT_EQ(refused(CloseReason::BodyTimeout), 0U);
  // And the one who waited gets its turn.
  EXPECT_EQ(stage.waiting(), 0U);
  stage.server(1).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(other.hear().starts_with("HTTP/1.1 200"));
  stage.pass(5s);
  EXPECT_EQ(closed(CloseReason::BodyTooSlow), 1U);
}

TEST_F(SlowClient, AtTheRateAnUploadTakesAsLongAsItTakes) {
  begin();
  upload(1000 + 600 * kRate, std::string(1000, 'x'));
  send_on(600, kRate);
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(SlowClient, ABodyThatIsCollectedHoldsNothingAndMayTakeItsTime) {
  begin();
  upload(100, "x");
  for (int i = 0; i < 98; ++i) {
    stage.pass(kPatience - 1s);
    client.say("x");
    stage.settle();
  }
  EXPECT_EQ(stage.dialled(), 0U);
  client.say("x");
  stage.settle();
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

constexpr std::string_view kExpect = "Expect: 100-continue\r\n";

TEST_F(SlowClient, WhoWaitsFor100HoldsNothing) {
  begin();
  upload(500, "", kExpect);
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  send_on(12, kRate / 10);
  EXPECT_EQ(stage.dialled(), 0U);
  send_on(1, 500 - 12 * kRate / 10);
  ASSERT_EQ(stage.dialled(), 1U);
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(SlowClient, WhoNeverSendsWhatItWasAskedForGets408) {
  begin();
  upload(500, "", kExpect);
  client.hear();
  stage.pass(kPatience + 1s);
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 408"));
  EXPECT_EQ(refused(CloseReason::BodyTimeout), 1U);
  EXPECT_EQ(stage.dialled(), 0U);
}

TEST_F(SlowClient, WhereBodiesStreamWhoWaitsFor100HoldsAConnectionFromItsHeadOn) {
  stage.upstream().request_body = config::RequestBody::Stream;
  begin();
  upload(500, "", kExpect);
  ASSERT_EQ(stage.dialled(), 1U);
  stage.server(0).say("HTTP/1.1 100 Continue\r\n\r\n");
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 100"));
  send_on(12, kRate / 10);
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 408"));
  EXPECT_EQ(refused(CloseReason::BodyTooSlow), 1U);
  EXPECT_TRUE(stage.server(0).hung_up());
}

TEST_F(SlowClient, WhoStopsInItsUploadIsSilentRatherThanSlow) {
  begin();
  upload(100'000, std::string(1000, 'x'));
  send_on(5, 10 * kRate);
  stage.pass(kPatience + 1s);
  EXPECT_EQ(refused(CloseReason::BodyTimeout), 1U);
  EXPECT_EQ(refused(CloseReason::BodyTooSlow), 0U);
}

TEST_F(SlowClient, TimeInWhichTheServerDoesNotReadIsNotTheClients) {
  begin();
  const size_t kSize = 300'000;
  upload(kSize, "");
  // More than the window to the server, and what Berth holds for it.
  size_t said = 0;
  for (bool error = false;;) {
    const size_t taken = client.end().write(std::string(10'000, 'x'), error);
    stage.settle();
    if (taken == 0) break;
    said += taken;
  }
  ASSERT_LT(said, kSize);
  stage.pass(10min);
  EXPECT_EQ(client.hear(), "");
  // The server reads again: the client's time begins anew.
  while (said < kSize) {
    stage.server(0).hear();
    stage.settle();
    bool error = false;
    said += client.end().write(std::string(std::min<size_t>(10'000, kSize - said), 'x'), error);
    stage.pass(100ms);
  }
  stage.server(0).hear();
  stage.settle();
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(SlowClient, TimeInTheQueueIsNotTheClients) {
  begin();
  auto first = stage.call();
  first.say(kGet);
  stage.settle();
  upload(2000, std::string(1500, 'x'));
  EXPECT_EQ(stage.waiting(), 1U);
  stage.pass(10min);
  EXPECT_EQ(stage.waiting(), 1U);
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_EQ(stage.waiting(), 0U);
  stage.pass(kPatience - 1s);
  client.say(std::string(500, 'x'));
  stage.settle();
  stage.server(stage.dialled() - 1).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(SlowClient, WithoutARateOnlyPausesCount) {
  stage.listener().min_body_rate = 0;
  begin();
  upload(1000 + 100, std::string(1000, 'x'));
  for (int i = 0; i < 100; ++i) {
    stage.pass(kPatience - 1s);
    client.say("x");
  }
  stage.settle();
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

// --- Downloads.

TEST_F(SlowClient, BelowTheRateADownloadLosesItsConnection) {
  begin();
  answer_with(300'000);
  ASSERT_FALSE(left_to_say.empty());  // the server is held back
  read_on(15, kRate / 2);
  EXPECT_FALSE(stage.server(0).hung_up());
  read_on(8, kRate / 2);
  EXPECT_TRUE(stage.server(0).hung_up());
  EXPECT_TRUE(client.end().rst_arrived());
  EXPECT_EQ(closed(CloseReason::SendTooSlow), 1U);
}

TEST_F(SlowClient, AtTheRateADownloadTakesAsLongAsItTakes) {
  begin();
  answer_with(200'000);
  ASSERT_FALSE(left_to_say.empty());
  read_on(600, kRate);
  EXPECT_FALSE(client.hung_up());
  while (!left_to_say.empty()) {
    client.hear();
    stage.settle();
    say_on();
  }
  EXPECT_FALSE(client.hung_up());
}

// Each buffer that it empties is no new beginning.
TEST_F(SlowClient, BelowARateThatEmptiesTheBufferInTimeADownloadLosesItsConnection) {
  stage.listener().min_send_rate = 1000;
  begin();
  answer_with(300'000);
  int seconds = 0;
  for (; seconds < 60 && !client.end().rst_arrived(); ++seconds) {
    read_on(1, 500);
    say_on();
  }
  EXPECT_LT(seconds, 60);
  // It has 10 s to spare, and loses half a second in each.
  EXPECT_GE(seconds, 15);
  EXPECT_TRUE(stage.server(0).hung_up());
  EXPECT_EQ(closed(CloseReason::SendTooSlow), 1U);
}

TEST_F(SlowClient, AtARateThatEmptiesTheBufferInTimeADownloadTakesAsLongAsItTakes) {
  stage.listener().min_send_rate = 1000;
  begin();
  answer_with(300'000);
  for (int seconds = 0; seconds < 250; ++seconds) {
    read_on(1, 1000);
    say_on();
    ASSERT_FALSE(client.hung_up()) << seconds;
  }
}

TEST_F(SlowClient, AResponseThatIsReadAheadHoldsNothingAndMayBeReadSlowly) {
  stage.upstream().response_buffer = 300'000;
  begin();
  answer_with(200'000);
  ASSERT_TRUE(left_to_say.empty());
  auto other = stage.call();
  other.say(kGet);
  stage.settle();
  stage.server(0).say(kAnswer);  // on the same connection
  stage.settle();
  EXPECT_TRUE(other.hear().starts_with("HTTP/1.1 200"));
  for (int i = 0; i < 300; ++i) {
    stage.pass(kPatience / 2);
    client.end().consume(1);
    stage.settle();
  }
  EXPECT_FALSE(client.hung_up());
}

TEST_F(SlowClient, WhoStopsReadingIsSilentRatherThanSlow) {
  begin();
  answer_with(300'000);
  read_on(5, 10 * kRate);
  stage.pass(2 * kPatience);
  EXPECT_EQ(closed(CloseReason::SendTimeout), 1U);
  EXPECT_EQ(closed(CloseReason::SendTooSlow), 0U);
}

TEST_F(SlowClient, WhoStopsReadingIsNotKeptByWhatKeepsComing) {
  stage.upstream().response_buffer = 64 * config::kMiB;
  begin();
  client.say(kGet);
  stage.settle();
  stage.server(0).say("HTTP/1.1 200 OK\r\n\r\n" + std::string(65'000, 'x'));
  stage.settle();
  for (int i = 0; i < 30; ++i) {
    stage.pass(1s);
    stage.server(0).say(std::string(1000, 'x'));
    stage.settle();
  }
  EXPECT_EQ(closed(CloseReason::SendTimeout), 1U);
}

TEST_F(SlowClient, WhoReadsWhatThereIsIsNotSlowHoweverLittleThereIs) {
  begin();
  client.say(kGet);
  stage.settle();
  stage.server(0).say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  for (int i = 0; i < 200; ++i) {
    stage.pass(2 * kPatience);
    stage.server(0).say("data: x\n\n");
    stage.settle();
    ASSERT_NE(client.hear(), "") << i;
  }
  EXPECT_FALSE(client.hung_up());
}

TEST_F(SlowClient, ATunnelIsAskedForNoRate) {
  begin();
  client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  stage.settle();
  left_to_say =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" +
      std::string(300'000, 'x');
  say_on();
  ASSERT_FALSE(left_to_say.empty());
  for (int i = 0; i < 100; ++i) {
    stage.pass(kPatience / 2);
    client.end().consume(1);
    stage.settle();
  }
  EXPECT_FALSE(client.hung_up());
}

// --- Uploads that wait in a file

TEST_F(SlowClient, ATrickleThatIsTooLongForMemoryHoldsNothing) {
  stage.disk().max_size = 1 << 20;
  begin();
  upload(10'000, std::string(100, 'x'));
  send_on(98, 100);
  EXPECT_EQ(stage.dialled(), 0U);
  EXPECT_EQ(stage.spool().files(), 1U);
  auto other = stage.call();
  other.say(kGet);
  stage.settle();
  ASSERT_EQ(stage.dialled(), 1U);
  stage.server(0).say(kAnswer);
  stage.settle();
  send_on(1, 100);
  EXPECT_TRUE(stage.server(0).hear().ends_with(std::string(10'000, 'x')));
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
  EXPECT_EQ(stage.dialled(), 1U);
  EXPECT_EQ(stage.spool().files(), 0U);
}

// What had to wait for the request before it has come at once only as it seems.
TEST_F(SlowClient, ATrickleBehindAnotherRequestHoldsNothing) {
  stage.disk().max_size = 1 << 20;
  stage.upstream().pool.max_connections = 8;
  begin();
  client.say(kGet);
  stage.settle();
  upload(10'000, std::string(100, 'x'));
  send_on(12, 100);
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
  stage.server(0).hear();
  send_on(10, 100);
  EXPECT_EQ(stage.spool().files(), 1U);
  EXPECT_EQ(stage.server(0).hear(), "");
  send_on(77, 100);
  ASSERT_EQ(stage.dialled(), 2U);  // the first has been idle for too long
  EXPECT_TRUE(stage.server(1).hear().ends_with(std::string(10'000, 'x')));
}

// --- Clients that rest while others wait

struct RestingClient : SlowClient {
  RestingClient() {
    stage.upstream().request_body = config::RequestBody::Stream;
    stage.upstream().pool.rest_timeout = 2s;
    stage.listener().min_body_rate = stage.listener().min_send_rate = 0;
  }
  // A request that waits for a connection; true when it has been given one.
  Stage::Peer ask() {
    auto other = stage.call();
    other.say(kGet);
    stage.settle();
    return other;
  }
};

TEST_F(RestingClient, NobodyWaitsAndItMayRest) {
  begin();
  upload(1000, "x");
  stage.pass(kPatience - 1s);
  EXPECT_FALSE(client.hung_up());
  client.say(std::string(999, 'x'));
  stage.settle();
  stage.server(0).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(RestingClient, SomebodyWaitsAndItIsEnded) {
  begin();
  upload(1000, "x");
  auto other = ask();
  EXPECT_EQ(stage.waiting(), 1U);
  stage.pass(1900ms);
  EXPECT_EQ(stage.waiting(), 1U);
  stage.pass(700ms);
  EXPECT_EQ(stage.waiting(), 0U);
  EXPECT_TRUE(stage.server(0).hung_up());
  const std::string got = client.hear();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 408")) << got;
  EXPECT_NE(got.find("client_rested"), std::string::npos);
  EXPECT_EQ(refused(CloseReason::ClientRested), 1U);
  stage.server(1).say(kAnswer);
  stage.settle();
  EXPECT_TRUE(other.hear().starts_with("HTTP/1.1 200"));
}

TEST_F(RestingClient, WhoHasRestedForLongWhenSomebodyComesIsEndedAtOnce) {
  begin();
  upload(1000, "x");
  stage.pass(5s);
  ask();
  stage.pass(300ms);
  EXPECT_EQ(stage.waiting(), 0U);
  EXPECT_EQ(refused(CloseReason::ClientRested), 1U);
}

TEST_F(RestingClient, WhoMovesStays) {
  begin();
  upload(1'000'000, "x");
  ask();
  send_on(60, 1100);
  EXPECT_FALSE(client.hung_up());
  EXPECT_EQ(stage.waiting(), 1U);
}

TEST_F(RestingClient, AByteNowAndThenIsNoMovement) {
  begin();
  upload(1'000'000, "x");
  ask();
  send_on(4, 200);
  EXPECT_EQ(refused(CloseReason::ClientRested), 1U);
}

TEST_F(RestingClient, AServerThatSaysNothingIsNotTheClients) {
  begin();
  auto first = ask();
  ask();
  EXPECT_EQ(stage.waiting(), 1U);
  stage.pass(1min);
  EXPECT_EQ(stage.waiting(), 1U);
  EXPECT_FALSE(first.hung_up());
}

TEST_F(RestingClient, AServerThatDoesNotReadIsNotTheClients) {
  begin();
  upload(1'000'000, "");
  for (bool error = false; client.end().write(std::string(10'000, 'x'), error) > 0;) stage.settle();
  ask();
  stage.pass(1min);
  EXPECT_EQ(stage.waiting(), 1U);
  EXPECT_EQ(refused(CloseReason::ClientRested), 0U);
}

TEST_F(RestingClient, NorOneThatHasNotSaid100) {
  begin();
  upload(1000, "", kExpect);
  ask();
  stage.pass(kPatience - 1s);
  EXPECT_EQ(stage.waiting(), 1U);
}

TEST_F(RestingClient, TheLongestIsEndedFirstWhicheverWorkerHasIt) {
  Stage two(2);
  two.upstream() = stage.upstream();
  two.upstream().pool.max_connections = 2;
  two.listener() = stage.listener();
  two.stand_at_once();
  two.apply();
  constexpr std::string_view kUpload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx";
  for (const uint32_t first : {0U, 1U}) {
    auto longer = two.call(first);
    longer.say(kUpload);
    two.pass(1s);
    auto shorter = two.call(1 - first);
    shorter.say(kUpload);
    two.pass(4s);
    auto other = two.call(first);
    other.say(kGet);
    two.settle();
    ASSERT_EQ(two.waiting(), 1U);
    two.pass(1s);
    EXPECT_EQ(two.waiting(), 0U);
    EXPECT_TRUE(longer.hear().starts_with("HTTP/1.1 408"));
    EXPECT_EQ(shorter.hear(), "");
    shorter.end().reset();
    other.end().reset();
    two.pass(5s);
  }
}

TEST_F(RestingClient, AResponseThatIsNotReadIsEnded) {
  begin();
  answer_with(300'000);
  ASSERT_FALSE(left_to_say.empty());
  ask();
  stage.pass(3s);
  EXPECT_EQ(stage.waiting(), 0U);
  EXPECT_TRUE(client.end().rst_arrived());
  EXPECT_EQ(closed(CloseReason::ClientRested), 1U);
}

TEST_F(RestingClient, AResponseThatIsReadStays) {
  begin();
  answer_with(300'000);
  ASSERT_FALSE(left_to_say.empty());
  ask();
  read_on(30, 2000);
  EXPECT_EQ(stage.waiting(), 1U);
  EXPECT_FALSE(client.hung_up());
}

TEST_F(RestingClient, ATunnelMayRest) {
  begin();
  client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  stage.settle();
  stage.server(0).say(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  stage.settle();
  ask();
  ask();
  stage.pass(1min);
  EXPECT_FALSE(client.hung_up());
}

}  // namespace
}  // namespace berth::sim
