// What a client must not do, by the sections of RFC 9113 and RFC 7541: the cases that h2spec lists,
// those about the form of a request excepted (http2_head_test.cc).
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/http/http2_in_memory.h"

namespace berth::http {
namespace {

using namespace wire;

enum class Ends : uint8_t {
  Connection,  // GOAWAY
  Either,      // the RFC leaves it to us
  Nothing,     // no error at all
};

constexpr uint32_t kProtocol = 1;
constexpr uint32_t kFlowControl = 3;
constexpr uint32_t kStreamClosed = 5;
constexpr uint32_t kFrameSize = 6;
constexpr uint32_t kCompression = 9;

struct Case {
  const char* name;
  std::string input;  // behind the preface and SETTINGS
  Ends ends;
  uint32_t error = 0;
};

std::string big(size_t size) {
  return std::string(size, 'x');
}
std::string raw_headers(std::string_view block, uint8_t flags = kEndHeaders | kEndStream) {
  return frame(Http2Frame::Headers, flags, 1, block);
}
const std::string kOpen = headers(1, post(), kEndHeaders);
const std::string kHalfClosed = headers(1, get());

std::vector<Case> cases() {
  using enum Ends;
  using F = Http2Frame;
  std::vector<Case> all = {
      // Section 4: frames
      {"unknown frame type", frame(0x16, 0, 0, "01234567") + ping(), Nothing},
      {"undefined flags", frame(F::Ping, 0x16, 0, "01234567"), Nothing},
      {"reserved bit", frame(F::Ping, 0, 0x80000000, "01234567"), Nothing},
      {"DATA beyond the maximum size", kOpen + data(1, big(16385)), Either, kFrameSize},
      {"HEADERS beyond the maximum size", raw_headers(big(16385)), Connection, kFrameSize},
      {"SETTINGS beyond the maximum size", frame(F::Settings, 0, 0, big(16386)), Connection,
       kFrameSize},
      {"broken header block", raw_headers("\x40\x01\x61\xff\xff"), Connection, kCompression},
      {"PRIORITY within a header block",
       raw_headers(block(get()), 0) + frame(F::Priority, 0, 1, number(0, 4) + "\x10"), Connection,
       kProtocol},
      {"another stream's HEADERS within a header block",
       raw_headers(block(get()), 0) + headers(3, get()), Connection, kProtocol},
      {"DATA within a header block", raw_headers(block(get()), 0) + data(1, "x"), Connection,
       kProtocol},
      // Section 5.1: stream states
      {"idle: DATA", data(1, "x", kEndStream), Connection, kProtocol},
      {"idle: RST_STREAM", rst(1), Connection, kProtocol},
      {"idle: WINDOW_UPDATE", window_update(1, 100), Connection, kProtocol},
      {"idle: CONTINUATION", frame(F::Continuation, kEndHeaders, 1, block(get())), Connection,
       kProtocol},
      {"half-closed (remote): DATA", kHalfClosed + data(1, "x"), Either, kStreamClosed},
      {"half-closed (remote): HEADERS", kHalfClosed + headers(1, get()), Either, kStreamClosed},
      {"half-closed (remote): CONTINUATION",
       kHalfClosed + frame(F::Continuation, kEndHeaders, 1, block({{"x", "y"}})), Connection,
       kProtocol},
      {"half-closed (remote): WINDOW_UPDATE", kHalfClosed + window_update(1, 100), Nothing},
      {"half-closed (remote): PRIORITY",
       kHalfClosed + frame(F::Priority, 0, 1, number(0, 4) + "\x10"), Nothing},
      {"closed by RST_STREAM: WINDOW_UPDATE", kHalfClosed + rst(1) + window_update(1, 1), Nothing},
      {"closed: CONTINUATION",
       kHalfClosed + rst(1) + frame(F::Continuation, kEndHeaders, 1, block({{"x", "y"}})),
       Connection, kProtocol},
      {"even stream id", headers(2, get()), Connection, kProtocol},
      {"stream id that goes back", headers(5, get()) + headers(3, get()), Connection, kProtocol},
      // Section 6.1: DATA
      {"DATA on stream 0", data(0, "x"), Connection, kProtocol},
      {"DATA with too much padding",
       kOpen + frame(F::Data, kPadded | kEndStream, 1, std::string("\x06", 1) + "1234"), Connection,
       kProtocol},
      {"DATA with padding", kOpen + frame(F::Data, kPadded, 1, std::string("\x02", 1) + "1234"),
       Nothing},
      // Section 6.2: HEADERS
      {"HEADERS on stream 0", frame(F::Headers, kEndHeaders | kEndStream, 0, block(get())),
       Connection, kProtocol},
      {"HEADERS with too much padding",
       frame(F::Headers, kEndHeaders | kEndStream | kPadded, 1, std::string("\xff", 1) + "1234"),
       Connection, kProtocol},
      // Section 6.3: PRIORITY
      {"PRIORITY on stream 0", frame(F::Priority, 0, 0, number(0, 4) + "\x10"), Connection,
       kProtocol},
      {"PRIORITY of the wrong size", kOpen + frame(F::Priority, 0, 1, "123"), Either, kFrameSize},
      // Section 6.4: RST_STREAM
      {"RST_STREAM on stream 0", rst(0), Connection, kProtocol},
      {"RST_STREAM of the wrong size", kOpen + frame(F::RstStream, 0, 1, "123"), Connection,
       kFrameSize},
      // Section 6.5: SETTINGS
      {"SETTINGS ack with a payload", frame(F::Settings, kAck, 0, number(0, 6)), Connection,
       kFrameSize},
      {"SETTINGS on a stream", frame(F::Settings, 0, 1, ""), Connection, kProtocol},
      {"SETTINGS of the wrong size", frame(F::Settings, 0, 0, "123"), Connection, kFrameSize},
      {"ENABLE_PUSH neither 0 nor 1", settings({{2, 2}}), Connection, kProtocol},
      {"INITIAL_WINDOW_SIZE too large", settings({{4, 0x80000000}}), Connection, kFlowControl},
      {"MAX_FRAME_SIZE too small", settings({{5, 16383}}), Connection, kProtocol},
      {"MAX_FRAME_SIZE too large", settings({{5, 16777216}}), Connection, kProtocol},
      {"unknown setting", settings({{0xff, 1}}) + ping(), Nothing},
      {"several values of a setting: the last one counts", settings({{4, 100}, {4, 1}}), Nothing},
      // Section 6.6: PUSH_PROMISE
      {"PUSH_PROMISE by a client",
       kOpen + frame(F::PushPromise, kEndHeaders, 1, number(3, 4) + block(get())), Connection,
       kProtocol},
      // Section 6.7: PING
      {"PING on a stream", frame(F::Ping, 0, 1, "01234567"), Connection, kProtocol},
      {"PING of the wrong size", frame(F::Ping, 0, 0, "0123456"), Connection, kFrameSize},
      {"PING ack that nobody asked for", ping(kAck), Nothing},
      // Section 6.8: GOAWAY
      {"GOAWAY on a stream", frame(F::Goaway, 0, 1, number(0, 8)), Connection, kProtocol},
      // Section 6.9: WINDOW_UPDATE
      {"WINDOW_UPDATE by 0", window_update(0, 0), Connection, kProtocol},
      {"WINDOW_UPDATE by 0 on a stream", kOpen + window_update(1, 0), Either, kProtocol},
      {"WINDOW_UPDATE of the wrong size", frame(F::WindowUpdate, 0, 0, "123"), Connection,
       kFrameSize},
      {"connection window beyond 2^31-1", window_update(0, 0x7fffffff), Connection, kFlowControl},
      {"stream window beyond 2^31-1", kOpen + window_update(1, 0x7fffffff), Either, kFlowControl},
      {"stream window beyond 2^31-1 by SETTINGS",
       kOpen + window_update(1, 0x7fffffff - 65535) + settings({{4, 65536}}), Either, kFlowControl},
      // Section 6.10: CONTINUATION
      {"CONTINUATION twice",
       raw_headers("", kEndStream) + frame(F::Continuation, 0, 1, block(get())) +
           frame(F::Continuation, kEndHeaders, 1, block({{"x", "y"}})),
       Nothing},
      {"CONTINUATION behind END_HEADERS",
       kHalfClosed + frame(F::Continuation, kEndHeaders, 1, block({{"x", "y"}})), Connection,
       kProtocol},
      {"CONTINUATION on stream 0",
       raw_headers(block(get()), 0) + frame(F::Continuation, kEndHeaders, 0, block({{"x", "y"}})),
       Connection, kProtocol},
      {"CONTINUATION behind DATA",
       kOpen + data(1, "x") + frame(F::Continuation, kEndHeaders, 1, block({{"x", "y"}})),
       Connection, kProtocol},
      // RFC 7541
      {"index 0", raw_headers("\x80"), Connection, kCompression},
      {"index beyond the table", raw_headers("\xff\x80\x01"), Connection, kCompression},
      {"table size beyond the limit", raw_headers("\x3f\xff\xff\x7f" + block(get())), Connection,
       kCompression},
      {"table size behind a field", raw_headers(block(get()) + "\x20"), Connection, kCompression},
      {"Huffman padding longer than 7 bits",
       raw_headers(block(get()) + std::string("\x00\x01x\x85\xf2\xb2\x4a\x84\xff", 9) + "\xff"),
       Connection, kCompression},
      {"Huffman padding of zeroes",
       raw_headers(block(get()) + std::string("\x00\x01x\x84\xf2\xb2\x4a\x00", 8)), Connection,
       kCompression},
      {"Huffman EOS in a string",
       raw_headers(block(get()) + std::string("\x00\x01x\x87\xf2\xb2\x4b\xff\xff\xff\xff", 11)),
       Connection, kCompression},
  };
  return all;
}

class Http2Errors : public Http2InMemory {
 protected:
  void check(const Case& one) {
    session().receive(hello() + one.input, now);
    hear();
    const int64_t reset = reset_error(1);
    const int64_t goaway = goaway_error();
    const auto fits = [&](int64_t error) { return error == int64_t{one.error}; };
    switch (one.ends) {
      case Ends::Connection:
        // A stream's error may be told first.
        EXPECT_TRUE(fits(goaway)) << "GOAWAY " << goaway << ", RST_STREAM " << reset;
        EXPECT_NE(session().failure(), CloseReason::None);
        EXPECT_TRUE(session().finished());
        return;
      case Ends::Either:
        EXPECT_TRUE(fits(goaway) || fits(reset)) << "GOAWAY " << goaway << ", RST_STREAM " << reset;
        return;
      case Ends::Nothing:
        EXPECT_EQ(goaway, -1);
        EXPECT_TRUE(reset == -1 || reset == 0) << reset;
        EXPECT_EQ(session().failure(), CloseReason::None);
        return;
    }
  }
};

class Http2ErrorsTest : public Http2Errors, public testing::WithParamInterface<size_t> {};

TEST_P(Http2ErrorsTest, IsWhatTheRfcDemands) {
  const Case one = cases()[GetParam()];
  SCOPED_TRACE(one.name);
  check(one);
}

INSTANTIATE_TEST_SUITE_P(Cases, Http2ErrorsTest, testing::Range(size_t{0}, cases().size()));

TEST_F(Http2Errors, SomethingElseThanThePreface) {
  session().receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n", now);
  EXPECT_EQ(session().failure(), CloseReason::Http2Error);
}

TEST_F(Http2Errors, NoSettingsBehindThePreface) {
  session().receive(std::string(kHttp2Preface) + headers(1, get()), now);
  hear();
  EXPECT_EQ(session().failure(), CloseReason::Http2Error);
}

TEST_F(Http2Errors, TheReservedBitOfAStreamIdIsIgnored) {
  session().receive(
      hello() + frame(Http2Frame::Headers, kEndHeaders | kEndStream, 0x80000001, block(get())),
      now);
  hear();
  EXPECT_EQ(session().failure(), CloseReason::None);
  EXPECT_EQ(streams.size(), 1u);
}

}  // namespace
}  // namespace berth::http
