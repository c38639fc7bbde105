// What the access log is told.
#include "tests/unit/exchange/exchange_fixture.h"

namespace berth::exchange {
namespace {

TEST_F(ExchangeTest, DescribesWhatItDid) {
  apply();
  Call& call =
      begin("GET /x?y HTTP/1.1\r\nHost: app.test\r\nUser-Agent: ua\r\nReferer: http://r.test/\r\n");
  pass(30ms);
  accept();
  pass(200ms);
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.method, "GET");
  EXPECT_EQ(record.host, "app.test");
  EXPECT_EQ(record.target, "/x?y");
  EXPECT_EQ(record.user_agent, "ua");
  EXPECT_EQ(record.referer, "http://r.test/");
  EXPECT_EQ(record.request_id.size(), 32u);
  EXPECT_EQ(record.reason, CloseReason::None);
  EXPECT_EQ(record.upstream, "app");
  EXPECT_EQ(record.server, "10.0.0.1:3000");
  EXPECT_EQ(record.attempts, 1u);
  EXPECT_EQ(record.source, stats::AcquireSource::New);
  EXPECT_FALSE(record.reused);
  EXPECT_EQ(record.connect_time, Duration(30ms));
  EXPECT_EQ(record.queue_wait, std::nullopt);
  EXPECT_EQ(record.header_time, Duration(200ms));
}

TEST_F(ExchangeTest, DescribesAReusedConnection) {
  apply();
  warm_up();
  Call& call = get();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.source, stats::AcquireSource::Idle);
  EXPECT_TRUE(record.reused);
  EXPECT_EQ(record.connect_time, std::nullopt);
  EXPECT_EQ(record.queue_wait, std::nullopt);
}

TEST_F(ExchangeTest, DescribesAWait) {
  pool().max_connections = 1;
  apply();
  get("/1");
  Call& call = get("/2");
  accept();
  pass(300ms);
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.source, stats::AcquireSource::Queue);
  EXPECT_EQ(record.queue_wait, Duration(300ms));
  EXPECT_EQ(record.connect_time, std::nullopt);
}

TEST_F(ExchangeTest, DescribesARequestThatNeverGotThere) {
  config.routes.front().host = "other.test";
  apply();
  Call& call = get("/x");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.target, "/x");
  EXPECT_EQ(record.reason, CloseReason::NoRoute);
  EXPECT_EQ(record.upstream, "");
  EXPECT_EQ(record.attempts, 0u);
}

TEST_F(ExchangeTest, CountsEveryServerThatItTried) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& call = get();
  refuse(0);
  accept(1);
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.attempts, 2u);
  EXPECT_EQ(record.server, server(1).address.to_string());
  EXPECT_EQ(record.reason, CloseReason::None) << "it came to a good end";
}

TEST_F(ExchangeTest, TheFirstFailureIsTheOneThatIsLogged) {
  apply();
  Call& call = get();
  call.exchange.set_failure(CloseReason::ClientReset);
  call.exchange.set_failure(CloseReason::ClientAborted);
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.reason, CloseReason::ClientReset);
}

}  // namespace
}  // namespace berth::exchange
