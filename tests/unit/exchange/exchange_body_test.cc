// Request bodies that are too long for memory: when they take a connection, and what becomes of
// them.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/exchange/memory_spool.h"
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

constexpr size_t kBuffer = 1000;

class ExchangeBodyTest : public ProxyInMemory {
 protected:
  ExchangeBodyTest() {
    settings().request_buffer = kBuffer;
    use_spool(&spool);
  }
  ~ExchangeBodyTest() override {
    drop_all();
    EXPECT_EQ(spool.files, 0);
  }

  Call& upload(size_t length, std::string_view came = {}, const char* method = "POST") {
    return begin(std::string(method) + " /form HTTP/1.1\r\nHost: app.test\r\nContent-Length: " +
                     std::to_string(length) + "\r\n",
                 came, came.size() == length);
  }
  // One that comes too slowly to stream, up to `length` bytes of `of`.
  Call& trickle(size_t of, size_t length) {
    Call& call = upload(of, std::string(1, 'a'));
    pass(1s);
    body(call, std::string(length - 1, 'b'), length == of);
    return call;
  }
  static std::string trickled(size_t length) { return "a" + std::string(length - 1, 'b'); }

  MemorySpool spool;
};

TEST_F(ExchangeBodyTest, AFastUploadStreamsWhenTheBufferIsFull) {
  apply();
  Call& call = upload(2 * kBuffer, std::string(kBuffer - 1, 'a'));
  EXPECT_EQ(connections(), 0u);
  body(call, "b");
  ASSERT_EQ(connections(), 1u);
  EXPECT_EQ(spool.files, 0);
  accept();
  EXPECT_EQ(heard_body(), std::string(kBuffer - 1, 'a') + "b");
}

TEST_F(ExchangeBodyTest, ASlowUploadIsReceivedWholeBeforeItTakesAConnection) {
  apply();
  Call& call = trickle(5 * kBuffer, kBuffer);
  EXPECT_EQ(spool.files, 1);
  pass(1s);
  body(call, std::string(3 * kBuffer, 'c'));
  EXPECT_EQ(connections(), 0u);
  EXPECT_FALSE(call.client.paused);
  pass(1s);
  body(call, std::string(kBuffer, 'd'), true);
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_EQ(heard_body(),
            trickled(kBuffer) + std::string(3 * kBuffer, 'c') + std::string(kBuffer, 'd'));
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(call.client.status, 204);
  EXPECT_EQ(spool.files, 0);
  EXPECT_FALSE(server().closed);
}

TEST_F(ExchangeBodyTest, ABodyOfJustTheBuffersSizeNeedsNoFile) {
  apply();
  Call& call = trickle(kBuffer, kBuffer);
  EXPECT_EQ(spool.files, 0);
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_EQ(heard_body(), trickled(kBuffer));
  drop(call);
}

TEST_F(ExchangeBodyTest, ChunkedBodiesKeepTheirFramingAndTrailers) {
  apply();
  Call& call = begin("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "a", false);
  pass(1s);
  body(call, std::string(kBuffer, 'b'));
  pass(1s);
  body(call, "", true, "X-Sum: 1\r\n");
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_EQ(heard_body(),
            "1\r\na\r\n3e8\r\n" + std::string(kBuffer, 'b') + "\r\n0\r\nX-Sum: 1\r\n\r\n");
}

TEST_F(ExchangeBodyTest, AsMuchIsReadAsTheServerTakes) {
  apply();
  const size_t size = 10 * RequestBody::kBlock;
  Call& call = upload(size, "a");
  pass(1s);
  for (size_t at = 1; at < size;) {
    const size_t piece = std::min(size - at, RequestBody::kBlock);
    body(call, std::string(piece, static_cast<char>('a' + at % 26)), at + piece == size);
    at += piece;
    pass(1s);
  }
  ASSERT_EQ(connections(), 1u);
  server().room = 1000;
  accept();
  std::string got = heard();
  for (int i = 0; i < 10'000 && got.size() < size + 300; ++i) {
    server().room = 100'000;
    ready(0, {.writable = true});
    got += heard();
  }
  const size_t body_at = got.find("\r\n\r\n") + 4;
  EXPECT_EQ(got.size() - body_at, size);
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(call.client.status, 204);
  EXPECT_FALSE(server().closed);
}

TEST_F(ExchangeBodyTest, AnUploadThatHasBecomeFastStreamsTheRest) {
  apply();
  Call& call = trickle(100 * kBuffer * kBuffer, kBuffer);
  EXPECT_EQ(spool.files, 1);
  pass(1ms);
  // 2 MiB within the second.
  size_t sent = kBuffer;
  for (int i = 0; i < 40 && connections() == 0; ++i) {
    body(call, std::string(60'000, 'c'));
    sent += 60'000;
  }
  ASSERT_EQ(connections(), 1u);
  accept();
  while (call.client.paused) ready(0, {.writable = true});
  body(call, "the rest");
  EXPECT_EQ(heard_body(), trickled(kBuffer) + std::string(sent - kBuffer, 'c') + "the rest");
  EXPECT_EQ(spool.files, 0);  // of no use any more
}

TEST_F(ExchangeBodyTest, HalfOfTheConnectionsAreForRequestsThatAreWhole) {
  pool().max_connections = 4;
  apply();
  for (int i = 0; i < 4; ++i) upload(2 * kBuffer, std::string(kBuffer, 'a'));
  EXPECT_EQ(connections(), 2u);
  EXPECT_EQ(spool.files, 2);
  get();
  get();
  EXPECT_EQ(connections(), 4u);
  drop_all();
  EXPECT_EQ(pools.find(*servers[0]->cluster)->shared()->uploads.used(), 0u);
}

TEST_F(ExchangeBodyTest, NobodyStreamsWhileOthersWait) {
  pool().max_connections = 2;
  apply();
  get();
  get();
  upload(2 * kBuffer, std::string(kBuffer, 'a'));
  EXPECT_EQ(spool.files, 1);
}

TEST_F(ExchangeBodyTest, WhereBodiesAreSpooledNoneStreams) {
  settings().request_body = config::RequestBody::Spool;
  apply();
  Call& call = upload(2 * kBuffer, std::string(kBuffer, 'a'));
  EXPECT_EQ(connections(), 0u);
  body(call, std::string(kBuffer, 'b'), true);
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_EQ(heard_body(), std::string(kBuffer, 'a') + std::string(kBuffer, 'b'));
}

// --- What does not fit

TEST_F(ExchangeBodyTest, AFileHasASizeAtWhichAnUploadStreamsAfterAll) {
  spool.most = 3 * kBuffer;
  apply();
  Call& exact = trickle(3 * kBuffer, kBuffer);
  pass(1s);
  body(exact, std::string(2 * kBuffer, 'c'), true);
  EXPECT_EQ(connections(), 1u);
  Call& longer = trickle(9 * kBuffer, kBuffer);
  pass(1s);
  body(longer, std::string(2 * kBuffer, 'c'));
  EXPECT_EQ(connections(), 1u);
  body(longer, "d");
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), trickled(kBuffer) + std::string(2 * kBuffer, 'c') + "d");
  body(longer, "e");
  EXPECT_EQ(heard(1), "e");
}

TEST_F(ExchangeBodyTest, WhereBodiesAreSpooledOneThatIsTooLongIsRefused) {
  settings().request_body = config::RequestBody::Spool;
  spool.most = 3 * kBuffer;
  apply();
  EXPECT_EQ(upload(3 * kBuffer, "").client.status, 0);
  Call& told = upload(3 * kBuffer + 1, "");
  EXPECT_EQ(told.client.status, 413);
  EXPECT_EQ(told.client.reason, CloseReason::SpoolTooLarge);
  Call& chunked = begin("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
                        std::string(kBuffer, 'a'), false);
  body(chunked, std::string(2 * kBuffer, 'b'));
  EXPECT_EQ(chunked.client.status, 0);
  body(chunked, "c");
  EXPECT_EQ(chunked.client.status, 413);
  EXPECT_EQ(connections(), 0u);
}

TEST_F(ExchangeBodyTest, AFullDiskIsTold) {
  spool.room = kBuffer;
  apply();
  Call& call = trickle(500 * kBuffer, kBuffer);
  EXPECT_EQ(call.client.status, 0);
  body(call, std::string(100 * kBuffer, 'b'));
  EXPECT_EQ(call.client.status, 503);
  EXPECT_EQ(call.client.reason, CloseReason::SpoolFull);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_EQ(spool.files, 0) << "gone at once, not when the request is over";
  body(call, "more");  // of no use
  EXPECT_EQ(connections(), 0u);
}

TEST_F(ExchangeBodyTest, ADiskThatCannotBeReadIsTold) {
  apply();
  Call& call = trickle(3 * kBuffer, kBuffer);
  spool.broken = true;
  pass(1s);
  body(call, std::string(2 * kBuffer, 'b'), true);
  accept();
  EXPECT_EQ(call.client.status, 503);
  EXPECT_EQ(call.client.reason, CloseReason::SpoolFailed);
  EXPECT_TRUE(server().closed);
}

TEST_F(ExchangeBodyTest, WithoutAFolderUploadsStream) {
  spool.most = 0;
  apply();
  trickle(3 * kBuffer, kBuffer);
  EXPECT_EQ(connections(), 1u);
  settings().request_body = config::RequestBody::Spool;
  apply();
  EXPECT_EQ(trickle(3 * kBuffer, kBuffer).client.reason, CloseReason::SpoolFailed);
}

TEST_F(ExchangeBodyTest, WhenMemoryIsShortTheFileTakesOver) {
  config.memory_budget = 0;
  apply();
  Call& call = upload(10, "01234");
  EXPECT_EQ(connections(), 0u);
  EXPECT_EQ(spool.files, 1);
  body(call, "56789", true);
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_EQ(heard_body(), "0123456789");
}

// --- When something fails

TEST_F(ExchangeBodyTest, AClientThatLeavesTakesItsFileAlong) {
  apply();
  Call& call = trickle(3 * kBuffer, kBuffer);
  EXPECT_EQ(spool.files, 1);
  call.exchange.cancel();
  EXPECT_EQ(spool.files, 0);
  drop(call);
}

TEST_F(ExchangeBodyTest, ABodyInAFileIsSentAgain) {
  apply();
  warm_up();
  Call& call = upload(3 * kBuffer, "a", "PUT");
  pass(1s);
  body(call, std::string(kBuffer, 'b'));
  pass(500ms);
  body(call, std::string(2 * kBuffer - 1, 'c'), true);
  const std::string all = "a" + std::string(kBuffer, 'b') + std::string(2 * kBuffer - 1, 'c');
  EXPECT_EQ(heard_body(0), all);
  hang_up(0);  // it was stale
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), all);
  say(1, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(call.client.status, 204);
}

TEST_F(ExchangeBodyTest, AnAnswerBeforeTheWholeFileWasReadIsPassedOn) {
  apply();
  const size_t size = 4 * RequestBody::kBlock;
  Call& call = upload(size, "a");
  pass(1s);
  body(call, std::string(size - 1, 'b'), true);
  server().room = 10'000;
  accept();
  say(0, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 413);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_EQ(spool.files, 0);
  EXPECT_TRUE(server().closed);
}

}  // namespace
}  // namespace berth::exchange
