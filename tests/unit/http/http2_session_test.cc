#include "proxy/http/http2_session.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/unit/http/http2_in_memory.h"

namespace berth::http {
namespace {

using namespace wire;

class Http2SessionTest : public Http2InMemory {};

TEST_F(Http2SessionTest, TheServerSpeaksOfItsLimitsFirst) {
  limits.max_streams = 7;
  SetUp();
  hear();
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard[0].type, Http2Frame::Settings);
  EXPECT_NE(heard[0].payload.find(number(3, 2) + number(7, 4)), std::string::npos);
  say(hello());
  EXPECT_TRUE(session().settings_acknowledged());
  const auto acks = std::count_if(heard.begin(), heard.end(), [](const Frame& frame) {
    return frame.type == Http2Frame::Settings && frame.flags == kAck;
  });
  EXPECT_EQ(acks, 1);
}

TEST_F(Http2SessionTest, ARequestAndItsResponse) {
  say(hello() + headers(1, get("/a?b", {{"user-agent", "x"}})));
  NotedStream& one = stream(1);
  EXPECT_EQ(one.method, "GET");
  EXPECT_EQ(one.target, "/a?b");
  EXPECT_EQ(one.host, "app.test");
  EXPECT_EQ(one.fields, "host=app.test;user-agent=x;");
  EXPECT_TRUE(one.complete);
  EXPECT_FALSE(one.chunked);
  EXPECT_EQ(session().streams(), 1u);
  answer(1, "hello");
  const Frame* head = find(Http2Frame::Headers, 1);
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(decoder.read(head->payload), ":status=200;content-type=text/plain;");
  EXPECT_EQ(content_heard(1), "hello");
  EXPECT_TRUE(find(Http2Frame::Data, 1)->ends());
  EXPECT_TRUE(one.closed);
  EXPECT_EQ(session().streams(), 0u);
  EXPECT_EQ(reset_error(1), -1);
}

TEST_F(Http2SessionTest, ARequestInPieces) {
  in_pieces = true;
  say(hello() + headers(1, post({{"content-length", "5"}}), kEndHeaders) + data(1, "he") +
      data(1, "llo", kEndStream));
  EXPECT_EQ(stream(1).content, "hello");
  EXPECT_TRUE(stream(1).complete);
}

TEST_F(Http2SessionTest, ARequestWithContentOfUnknownLengthIsChunkedForHttp1) {
  say(hello() + headers(1, post(), kEndHeaders));
  EXPECT_TRUE(stream(1).chunked);
  EXPECT_FALSE(stream(1).complete);
}

TEST_F(Http2SessionTest, AResponseWithoutContentEndsWithItsHead) {
  say(hello() + headers(1, get()));
  session().send_head(stream(1), 204, {}, true);
  hear();
  EXPECT_TRUE(find(Http2Frame::Headers, 1)->ends());
  EXPECT_EQ(find(Http2Frame::Data, 1), nullptr);
  EXPECT_TRUE(stream(1).closed);
}

TEST_F(Http2SessionTest, InterimResponsesComeBeforeTheFinalOne) {
  say(hello() + headers(1, get()));
  session().send_interim(stream(1), 103, {{"Link", "</a>"}});
  hear();
  EXPECT_EQ(decoder.read(find(Http2Frame::Headers, 1)->payload), ":status=103;link=</a>;");
  EXPECT_FALSE(find(Http2Frame::Headers, 1)->ends());
  heard.clear();
  answer(1);
  EXPECT_EQ(decoder.read(find(Http2Frame::Headers, 1)->payload),
            ":status=200;content-type=text/plain;");
}

TEST_F(Http2SessionTest, TrailersBothWays) {
  say(hello() + headers(1, post(), kEndHeaders) + data(1, "abc") +
      headers(1, {{"x-sum", "1"}, {"content-length", "9"}}));
  EXPECT_EQ(stream(1).trailers, "x-sum: 1\r\n") << "framing fields are no trailers";
  session().send_head(stream(1), 200, {}, false);
  session().send_content(stream(1), "xyz", scratch, true, "X-Out: 2\r\nX-More:\r\n");
  hear();
  const Frame& last = heard.back();
  EXPECT_EQ(last.type, Http2Frame::Headers);
  EXPECT_TRUE(last.ends());
  EXPECT_FALSE(find(Http2Frame::Data, 1)->ends());
  decoder.read(find(Http2Frame::Headers, 1)->payload);
  EXPECT_EQ(decoder.read(last.payload), "x-out=2;x-more=;");
}

TEST_F(Http2SessionTest, ContentComesAsTheServerGivesIt) {
  say(hello() + headers(1, get()));
  session().send_head(stream(1), 200, {}, false);
  hear();
  EXPECT_EQ(find(Http2Frame::Data, 1), nullptr);
  session().send_content(stream(1), "one", scratch, false, {});
  hear();
  EXPECT_EQ(content_heard(1), "one");
  session().send_content(stream(1), "two", scratch, false, {});
  session().send_content(stream(1), {}, scratch, true, {});
  hear();
  EXPECT_EQ(content_heard(1), "onetwo");
  EXPECT_TRUE(stream(1).closed);
}

TEST_F(Http2SessionTest, ALateEndIsAnEmptyFrame) {
  say(hello() + headers(1, get()));
  session().send_head(stream(1), 200, {}, false);
  session().send_content(stream(1), "one", scratch, false, {});
  hear();
  session().send_content(stream(1), {}, scratch, true, {});
  hear();
  EXPECT_TRUE(heard.back().ends());
  EXPECT_EQ(heard.back().payload, "");
}

// --- Flow control

TEST_F(Http2SessionTest, TheClientsWindowHoldsContentBack) {
  say(std::string(kHttp2Preface) + settings({{4, 10}}) + settings_ack() + headers(1, get()));
  answer(1, "0123456789abcdef");
  EXPECT_EQ(content_heard(1), "0123456789");
  EXPECT_EQ(stream(1).unsent(), 6u);
  EXPECT_FALSE(stream(1).closed);
  say(window_update(1, 3));
  EXPECT_EQ(content_heard(1), "0123456789abc");
  say(window_update(1, 100));
  EXPECT_EQ(content_heard(1), "0123456789abcdef");
  EXPECT_TRUE(stream(1).closed);
}

TEST_F(Http2SessionTest, AStreamThatIsHeldBackHoldsBackNoOther) {
  say(std::string(kHttp2Preface) + settings({{4, 10}}) + settings_ack() + headers(1, get()) +
      headers(3, get()));
  answer(1, std::string(100, 'a'));
  answer(3, "short");
  EXPECT_EQ(content_heard(3), "short");
  EXPECT_TRUE(stream(3).closed);
  EXPECT_FALSE(stream(1).closed);
}

TEST_F(Http2SessionTest, StreamsTakeTurns) {
  say(hello() + window_update(0, 1 << 20) + headers(1, get()) + headers(3, get()));
  session().send_head(stream(1), 200, {}, false);
  session().send_head(stream(3), 200, {}, false);
  session().send_content(stream(1), std::string(60'000, 'a'), scratch, true, {});
  session().send_content(stream(3), std::string(60'000, 'b'), scratch, true, {});
  hear();
  std::vector<uint32_t> order;
  for (const Frame& frame : heard) {
    if (frame.type == Http2Frame::Data) order.push_back(frame.stream);
  }
  ASSERT_GE(order.size(), 4u);
  EXPECT_NE(order[0], order[1]);
  EXPECT_NE(order[1], order[2]);
}

TEST_F(Http2SessionTest, TheWindowOpensAgainOnlyForWhatIsTaken) {
  say(hello() + headers(1, post(), kEndHeaders) + data(1, std::string(16'000, 'x')) +
      data(1, std::string(16'000, 'x')) + data(1, std::string(8'000, 'x')));
  EXPECT_EQ(find(Http2Frame::WindowUpdate, 1), nullptr);
  session().consume_stream(stream(1), 40'000);
  hear();
  ASSERT_NE(find(Http2Frame::WindowUpdate, 1), nullptr);
  EXPECT_EQ(find(Http2Frame::WindowUpdate, 1)->number_at(0), 40'000u);
}

TEST_F(Http2SessionTest, AClientThatOverrunsTheWindowIsCut) {
  limits.stream_window = 1000;
  SetUp();
  say(hello() + headers(1, post(), kEndHeaders) + data(1, std::string(2000, 'x')));
  EXPECT_TRUE(reset_error(1) == 3 || goaway_error() == 3) << reset_error(1) << goaway_error();
}

// --- Ends

TEST_F(Http2SessionTest, AnEarlyResponseEndsTheRequestKindly) {
  say(hello() + headers(1, post(), kEndHeaders) + data(1, "some"));
  answer(1);
  EXPECT_EQ(heard.back().type, Http2Frame::Data);
  EXPECT_TRUE(stream(1).early_end);
  EXPECT_FALSE(stream(1).closed);
  say(data(1, "more"));
  EXPECT_EQ(stream(1).content, "some") << "thrown away";
  EXPECT_EQ(reset_error(1), -1) << "not in the response's write";
  session().end_request_early(stream(1));
  hear();
  EXPECT_EQ(reset_error(1), 0) << "NO_ERROR";
  EXPECT_EQ(heard.back().type, Http2Frame::RstStream);
  EXPECT_TRUE(stream(1).closed);
  say(data(1, "more that was on its way"));
  EXPECT_EQ(session().failure(), CloseReason::None);
}

// The window opens for some more, and then no more.
TEST_F(Http2SessionTest, NothingMoreIsAskedForBehindAnEarlyResponse) {
  say(hello() + headers(1, post(), kEndHeaders));
  answer(1);
  size_t opened = 0;
  for (size_t i = 0; i < 100 && session().failure() == CloseReason::None; ++i) {
    heard.clear();
    say(data(1, std::string(16'000, 'x')));
    const auto* update = find(Http2Frame::WindowUpdate, 1);
    if (update != nullptr) opened += update->number_at(0);
  }
  EXPECT_GT(opened, size_t{200} * 1024);
  EXPECT_LE(opened, size_t{256} * 1024);
}

TEST_F(Http2SessionTest, ARequestThatEndsInTimeBehindAnEarlyResponseIsNotReset) {
  say(hello() + headers(1, post(), kEndHeaders));
  answer(1);
  heard.clear();
  say(data(1, "the end", kEndStream));
  EXPECT_TRUE(stream(1).closed);
  EXPECT_EQ(reset_error(1), -1);
  EXPECT_NE(find(Http2Frame::WindowUpdate, 0), nullptr) << "the client is woken";
}

TEST_F(Http2SessionTest, AResetOfOursThrowsAwayWhatIsUnsent) {
  say(hello() + headers(1, get()));
  session().send_head(stream(1), 200, {}, false);
  session().send_content(stream(1), "half", scratch, false, {});
  session().reset(stream(1), Http2Error::InternalError);
  hear();
  EXPECT_EQ(reset_error(1), 2);
  EXPECT_EQ(content_heard(1), "");
  EXPECT_TRUE(stream(1).closed);
  EXPECT_TRUE(stream(1).reset_by_us());
  EXPECT_FALSE(stream(1).reset_by_client());
}

TEST_F(Http2SessionTest, AForgottenStreamHearsNothingMore) {
  say(hello() + headers(1, get()) + headers(3, get()));
  session().send_head(stream(1), 200, {}, false);
  session().send_content(stream(1), "all of it", scratch, true, {});
  session().forget(stream(1));
  EXPECT_EQ(session().streams(), 1u);
  session().terminate(Http2Error::NoError);
  hear();
  say(rst(1));
  EXPECT_FALSE(stream(1).closed);
  EXPECT_EQ(stream(1).progress, 0u);
  EXPECT_EQ(content_heard(1), "");
}

TEST_F(Http2SessionTest, AStreamIsResetBetweenTwoRoundsOfItsOutput) {
  say(hello() + headers(1, get()));
  const std::string content(60'000, 'x');
  session().send_head(stream(1), 200, {}, false);
  session().send_content(stream(1), content, scratch, true, {});
  ASSERT_GE(produce_once(), Http2Session::kEnough) << "and some of it is left";
  session().reset(stream(1), Http2Error::InternalError);
  hear();
  EXPECT_EQ(reset_error(1), 2);
  EXPECT_TRUE(stream(1).closed);
  EXPECT_TRUE(content.starts_with(content_heard(1)));
}

TEST_F(Http2SessionTest, AResetOfTheClientEndsTheStream) {
  say(hello() + headers(1, get()) + rst(1));
  EXPECT_TRUE(stream(1).closed);
  EXPECT_TRUE(stream(1).reset_by_client());
  EXPECT_EQ(session().failure(), CloseReason::None);
}

// A client may open a stream before it hears the first GOAWAY and acknowledge the PING before it
// sends that stream: nghttp2 sends acknowledgements first.
TEST_F(Http2SessionTest, AStreamThatComesBeforeTheLastGoawayIsWrittenIsServed) {
  say(hello() + headers(1, get()));
  session().announce_end();
  hear();
  heard.clear();
  session().end_new_streams();
  session().receive(headers(3, get()), now);
  hear();
  EXPECT_EQ(find(Http2Frame::Goaway, 0)->number_at(0), 3u);
  EXPECT_TRUE(stream(3).asked);
}

TEST_F(Http2SessionTest, AStreamBehindALastGoawayThatWaitsInTheOutputIsRefused) {
  say(hello() + headers(1, get()));
  session().announce_end();
  hear();
  heard.clear();
  const std::string long_field(16'000, 'x');
  for (int i = 0; i < 4; ++i) {
    session().send_interim(stream(1), 103, {{"Link", long_field}});
  }
  session().end_new_streams();
  ASSERT_GE(produce_once(), Http2Session::kEnough) << "and the GOAWAY is not among it";
  session().receive(headers(3, get()), now);
  EXPECT_EQ(streams.size(), 1u);
  hear();
  EXPECT_EQ(find(Http2Frame::Goaway, 0)->number_at(0), 1u);
}

TEST_F(Http2SessionTest, TheEndIsAnnouncedInTwoSteps) {
  say(hello() + headers(1, get()));
  session().announce_end();
  session().ping();
  hear();
  EXPECT_EQ(find(Http2Frame::Goaway, 0)->number_at(0), 0x7fffffffu);
  say(headers(3, get()) + ping(kAck));
  EXPECT_EQ(pings, 1);
  EXPECT_TRUE(stream(3).asked) << "sent before it had heard";
  heard.clear();
  session().end_new_streams();
  hear();
  EXPECT_EQ(find(Http2Frame::Goaway, 0)->number_at(0), 3u);
  say(headers(5, get()));
  EXPECT_EQ(streams.size(), 2u) << "not served";
  answer(1);
  EXPECT_FALSE(session().finished());
  answer(3);
  EXPECT_TRUE(session().finished());
  EXPECT_EQ(session().failure(), CloseReason::None);
}

TEST_F(Http2SessionTest, AClientThatSaysGoodbyeIsServedToItsEnd) {
  say(hello() + headers(1, get()) + frame(Http2Frame::Goaway, 0, 0, number(0, 4) + number(0, 4)));
  EXPECT_FALSE(session().finished());
  answer(1);
  EXPECT_EQ(content_heard(1), "ok");
  EXPECT_TRUE(session().finished());
}

TEST_F(Http2SessionTest, MoreStreamsThanAllowedAreRefused) {
  limits.max_streams = 2;
  SetUp();
  say(hello() + headers(1, get()) + headers(3, get()) + headers(5, get()));
  EXPECT_EQ(streams.size(), 2u);
  EXPECT_TRUE(reset_error(5) == 7 || goaway_error() == 1) << reset_error(5) << goaway_error();
}

TEST_F(Http2SessionTest, PingIsAnswered) {
  say(hello() + ping());
  ASSERT_NE(find(Http2Frame::Ping, 0), nullptr);
  EXPECT_EQ(find(Http2Frame::Ping, 0)->flags, kAck);
  EXPECT_EQ(find(Http2Frame::Ping, 0)->payload, "01234567");
}

// --- Content that is not as announced

TEST_F(Http2SessionTest, ContentThatIsTooLong) {
  say(hello() + headers(1, post({{"content-length", "3"}}), kEndHeaders) + data(1, "abcd"));
  EXPECT_EQ(stream(1).bad_content, CloseReason::BadContentLength);
  EXPECT_EQ(stream(1).content, "") << "not a byte too many is passed on";
}

TEST_F(Http2SessionTest, ContentThatIsTooShort) {
  say(hello() + headers(1, post({{"content-length", "3"}}), kEndHeaders) +
      data(1, "ab", kEndStream));
  EXPECT_EQ(stream(1).bad_content, CloseReason::BadContentLength);
  EXPECT_FALSE(stream(1).complete);
}

TEST_F(Http2SessionTest, ContentThatIsTooShortBeforeTrailers) {
  say(hello() + headers(1, post({{"content-length", "3"}}), kEndHeaders) + data(1, "ab") +
      headers(1, {{"x", "y"}}));
  EXPECT_EQ(stream(1).bad_content, CloseReason::BadContentLength);
}

TEST_F(Http2SessionTest, BadTrailers) {
  const Fields bad[] = {{{":path", "/"}},
                        {{"X-Upper", "1"}},
                        {{"x", "a\r\nb: c"}},
                        {{"connection", "close"}},
                        {{"transfer-encoding", "chunked"}},
                        {{"", "empty name"}},
                        {{"big", std::string(9000, 'x')}}};
  uint32_t id = 1;
  say(hello());
  for (const Fields& fields : bad) {
    say(headers(id, post(), kEndHeaders) + headers(id, fields));
    EXPECT_EQ(stream(id).bad_content, CloseReason::BadTrailer) << fields[0].first;
    EXPECT_FALSE(stream(id).complete);
    id += 2;
  }
}

TEST_F(Http2SessionTest, ASecondHeadIsNoTrailer) {
  say(hello() + headers(1, post(), kEndHeaders) + headers(1, {{"x", "y"}}, kEndHeaders));
  EXPECT_EQ(stream(1).bad_content, CloseReason::BadTrailer);
}

TEST_F(Http2SessionTest, NothingComesOfARefusedRequestsContent) {
  say(hello() + headers(1, {{":method", "POST"}}, kEndHeaders));
  EXPECT_EQ(stream(1).refused, CloseReason::BadPseudoHeader);
  say(data(1, "abc") + data(1, "def", kEndStream));
  EXPECT_EQ(stream(1).content, "");
  EXPECT_FALSE(stream(1).complete);
}

TEST_F(Http2SessionTest, ARefusalIsAnAnswerAndAStreamError) {
  say(hello() + headers(1, {{":method", "GET"}}));
  session().end_with(stream(1), Http2Error::ProtocolError);
  answer(1, "400");
  EXPECT_EQ(content_heard(1), "400");
  EXPECT_EQ(reset_error(1), 1);
}

TEST_F(Http2SessionTest, AnExtendedConnectIsATunnel) {
  Fields fields = {{":method", "CONNECT"}, {":protocol", "websocket"},
                   {":scheme", "http"},    {":authority", "app.test"},
                   {":path", "/ws"},       {"sec-websocket-version", "13"}};
  say(hello() + headers(1, fields, kEndHeaders));
  NotedStream& one = stream(1);
  EXPECT_EQ(one.refused, CloseReason::None);
  EXPECT_TRUE(one.tunnel);
  EXPECT_EQ(one.method, "GET");
  EXPECT_NE(one.fields.find("sec-websocket-key="), std::string::npos);
  say(data(1, "to the server"));
  EXPECT_EQ(one.content, "to the server");
}

}  // namespace
}  // namespace berth::http
