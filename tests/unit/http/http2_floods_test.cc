// How much nonsense a client may send before its connection ends, and what is not nonsense.
#include <gtest/gtest.h>

#include <string>

#include "proxy/http/http2_meter.h"
#include "tests/unit/http/http2_in_memory.h"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using namespace wire;

TEST(TokenBucketTest, GivesItsBurstAndThenItsRate) {
  TokenBucket bucket(3, 10);
  TimePoint now{5s};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(1, now));
  EXPECT_FALSE(bucket.take(1, now));
  EXPECT_FALSE(bucket.take(1, now += 99ms));
  EXPECT_TRUE(bucket.take(1, now += 1ms));
  EXPECT_FALSE(bucket.take(1, now));
  now += 1000h;
  EXPECT_FALSE(bucket.take(4, now)) << "never more than the burst";
  EXPECT_TRUE(bucket.take(3, now));
}

class Http2FloodsTest : public Http2InMemory {
 protected:
  // How often `round` can be said at one moment before the connection ends; `most`: for ever.
  template <class Round>
  int endures(int most, Round&& round) {
    say(hello());
    for (int i = 0; i < most; ++i) {
      say(round(i));
      if (session().failure() != CloseReason::None) return i;
    }
    return most;
  }
  static uint32_t id(int i) { return static_cast<uint32_t>(2 * i + 1); }
  void ended_with(CloseReason reason) {
    EXPECT_EQ(session().failure(), reason);
    hear();
    EXPECT_EQ(goaway_error(), 0xb) << "ENHANCE_YOUR_CALM";
    EXPECT_TRUE(session().finished());
  }
};

TEST_F(Http2FloodsTest, RapidReset) {
  const int times = endures(1000, [](int i) { return headers(id(i), get()) + rst(id(i)); });
  EXPECT_EQ(times, static_cast<int>(Http2Meter::kResets));
  ended_with(CloseReason::ResetFlood);
}

TEST_F(Http2FloodsTest, ResetsOverTime) {
  const int times = endures(1000, [this](int i) {
    now += 50ms;
    return headers(id(i), get()) + rst(id(i));
  });
  EXPECT_EQ(times, 1000);
}

TEST_F(Http2FloodsTest, ResetsThatTheClientProvokes) {
  const auto malformed = [this](int i) {
    if (i > 0) {
      session().end_with(stream(id(i - 1)), Http2Error::ProtocolError);
      answer(id(i - 1), "400");
    }
    return headers(id(i), {{":method", "GET"}});
  };
  EXPECT_NEAR(endures(1000, malformed), Http2Meter::kResets, 1);
  ended_with(CloseReason::ResetFlood);
}

TEST_F(Http2FloodsTest, WindowsThatOpenByNothing) {
  const auto zero = [](int i) {
    return headers(id(i), post(), kEndHeaders) + window_update(id(i), 0);
  };
  EXPECT_LE(endures(1000, zero), static_cast<int>(Http2Meter::kResets));
  EXPECT_NE(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, ResetsThatTheClientProvokesByItsWindow) {
  const auto wide = [](int i) {
    return headers(id(i), post(), kEndHeaders) + window_update(id(i), 0x7fffffff);
  };
  EXPECT_LE(endures(1000, wide), static_cast<int>(Http2Meter::kResets));
  EXPECT_NE(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, ResetsThatTheClientProvokesByDataBehindTheEnd) {
  const auto late = [](int i) { return headers(id(i), get()) + data(id(i), "x"); };
  EXPECT_LE(endures(1000, late), static_cast<int>(Http2Meter::kResets));
  EXPECT_NE(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, StreamsBeyondTheLimit) {
  limits.max_streams = 1;
  SetUp();
  say(std::string(kHttp2Preface) + settings() + headers(1, get()));
  int times = 0;
  for (int i = 1; i < 1000 && session().failure() == CloseReason::None; ++i, ++times) {
    say(headers(id(i), get()));
  }
  EXPECT_LE(times, static_cast<int>(Http2Meter::kResets) + 1);
  EXPECT_NE(session().failure(), CloseReason::None);
  EXPECT_EQ(streams.size(), 1u);
}

// What was on its way when a stream ended is no flood; what comes on and on is.
TEST_F(Http2FloodsTest, DataForStreamsThatAreOver) {
  say(hello() + headers(1, post(), kEndHeaders));
  session().reset(stream(1), Http2Error::Cancel);
  hear();
  const std::string piece(16'000, 'x');
  size_t sent = 0;
  while (sent < 10'000'000 && session().failure() == CloseReason::None) {
    say(data(1, piece));
    sent += piece.size();
    if (sent <= limits.stream_window) {
      EXPECT_EQ(session().failure(), CloseReason::None);
    }
  }
  EXPECT_LE(sent, 3 * limits.stream_window);
  ended_with(CloseReason::FrameFlood);
}

TEST_F(Http2FloodsTest, DataThatTheClientSendsBehindItsOwnReset) {
  say(hello() + headers(1, post(), kEndHeaders) + rst(1));
  int times = 0;
  while (times < 1000 && session().failure() == CloseReason::None) {
    say(data(1, std::string(16'000, 'x')));
    ++times;
  }
  EXPECT_LT(times, 20);
  EXPECT_NE(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, AWindowForEachStreamThatEndsEarlyIsNoFlood) {
  const std::string piece(16'000, 'x');
  const int times = endures(100, [&](int i) {
    if (i > 0) session().reset(stream(id(i - 1)), Http2Error::Cancel);
    hear();
    std::string late = i > 0 ? data(id(i - 1), piece) + data(id(i - 1), piece) : std::string();
    return late + headers(id(i), post(), kEndHeaders);
  });
  EXPECT_EQ(times, 100);
}

TEST_F(Http2FloodsTest, LongBodiesAreNoFlood) {
  say(hello() + headers(1, post(), kEndHeaders));
  const std::string piece(16'000, 'x');
  for (int i = 0; i < 200; ++i) {
    say(data(1, piece));
    session().consume_stream(stream(1), piece.size());
    session().consume_connection(piece.size());
    hear();
  }
  EXPECT_EQ(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, ResetsOfOursAreNotTheClientsFault) {
  say(hello());
  for (int i = 0; i < 500; ++i) {
    say(headers(id(i), get()));
    session().reset(stream(id(i)), Http2Error::InternalError);
    hear();
  }
  EXPECT_EQ(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, ContinuationWithoutEnd) {
  say(hello() + frame(Http2Frame::Headers, 0, 1, block(get())));
  int times = 0;
  while (times < 1000 && session().failure() == CloseReason::None) {
    say(frame(Http2Frame::Continuation, 0, 1, ""));
    ++times;
  }
  EXPECT_LT(times, 50);
  ended_with(CloseReason::HeaderFlood);
}

TEST_F(Http2FloodsTest, AHeaderBlockWithoutEnd) {
  say(hello() + frame(Http2Frame::Headers, 0, 1, block(get())));
  size_t sent = 0;
  while (sent < 10'000'000 && session().failure() == CloseReason::None) {
    const std::string more = block({{"x", std::string(16'000, 'y')}});
    say(frame(Http2Frame::Continuation, 0, 1, more));
    sent += more.size();
  }
  EXPECT_LT(sent, 3 * limits.head.max_head);
  ended_with(CloseReason::HeaderFlood);
}

// One byte of an indexed field stands for 4 KB.
TEST_F(Http2FloodsTest, AHeaderBlockThatUnfolds) {
  const std::string define = std::string("\x40\x01", 2) + "x" + literal(std::string(3900, 'y'));
  const std::string bomb(12'000, '\xbe');  // index 62: the newest entry
  say(hello() +
      frame(Http2Frame::Headers, kEndHeaders | kEndStream, 1, block(get()) + define + bomb));
  ended_with(CloseReason::HeaderFlood);
}

TEST_F(Http2FloodsTest, AHeadThatIsTooLargeIsNoFlood) {
  say(hello() + frame(Http2Frame::Headers, kEndStream, 1, block(get())));
  for (int i = 0; i < 3; ++i) {
    say(frame(Http2Frame::Continuation, 0, 1, block({{"x", std::string(16'000, 'y')}})));
  }
  say(frame(Http2Frame::Continuation, kEndHeaders, 1, block({{"x", "y"}})));
  EXPECT_EQ(session().failure(), CloseReason::None);
  EXPECT_EQ(stream(1).refused, CloseReason::HeadTooLarge);
  say(headers(3, get()));
  EXPECT_TRUE(stream(3).asked) << "HPACK's state is still right";
}

TEST_F(Http2FloodsTest, FramesThatCarryNothing) {
  const int most = static_cast<int>(Http2Meter::kIdleFrames) + 100;
  EXPECT_LE(endures(most, [](int) { return ping(); }), most - 50);
  ended_with(CloseReason::FrameFlood);
}

struct Nothing {
  const char* name;
  std::string frame;
};

class Http2EmptyFramesTest : public Http2FloodsTest, public testing::WithParamInterface<int> {};

TEST_P(Http2EmptyFramesTest, AreBounded) {
  const Nothing all[] = {
      {"PING", ping()},
      {"SETTINGS", settings()},
      {"SETTINGS ack", settings_ack()},
      {"PRIORITY", frame(Http2Frame::Priority, 0, 1, number(0, 4) + "\x10")},
      {"WINDOW_UPDATE", window_update(0, 1)},
      {"empty DATA", data(1, "")},
      {"unknown", frame(0x77, 0, 0, "")},
      {"PRIORITY_UPDATE", frame(0x10, 0, 0, number(1, 4) + "u=1")},
  };
  const Nothing& one = all[GetParam()];
  SCOPED_TRACE(one.name);
  const int most = static_cast<int>(Http2Meter::kIdleFrames) + 100;
  const int times = endures(most, [&](int i) {
    return (i == 0 ? headers(1, post(), kEndHeaders) : std::string()) + one.frame;
  });
  EXPECT_LT(times, most - 50);
  EXPECT_NE(session().failure(), CloseReason::None);
}

INSTANTIATE_TEST_SUITE_P(Frames, Http2EmptyFramesTest, testing::Range(0, 8));

TEST_F(Http2FloodsTest, FramesThatCarryNothingOverTime) {
  const int times = endures(5000, [this](int) {
    now += 20ms;
    return ping();
  });
  EXPECT_EQ(times, 5000);
}

TEST_F(Http2FloodsTest, AWindowThatOpensForWhatCameIsNoFlood) {
  say(hello() + headers(1, get()));
  session().send_head(stream(1), 200, {}, false);
  for (int i = 0; i < 5000; ++i) {
    session().send_content(stream(1), "x", scratch, false, {});
    hear();
    heard.clear();
    say(window_update(1, 1) + window_update(0, 1));
  }
  EXPECT_EQ(session().failure(), CloseReason::None);
}

TEST_F(Http2FloodsTest, ManyRequestsAreNoFlood) {
  const int times = endures(3000, [this](int i) {
    if (i > 0) answer(id(i - 1));
    heard.clear();
    return headers(id(i), post(), kEndHeaders) + data(id(i), "x", kEndStream);
  });
  EXPECT_EQ(times, 3000);
}

TEST(Http2MeterTest, SeesFramesInPieces) {
  Http2Meter whole(1000);
  Http2Meter pieces(1000);
  const std::string input =
      hello() + headers(1, get(), 0) + frame(Http2Frame::Continuation, 0, 1, "");
  EXPECT_EQ(whole.take(input, {}), CloseReason::None);
  for (const char byte : input) EXPECT_EQ(pieces.take({&byte, 1}, {}), CloseReason::None);
  EXPECT_TRUE(whole.in_header_block());
  EXPECT_TRUE(pieces.in_header_block());
  EXPECT_EQ(pieces.take(frame(Http2Frame::Continuation, kEndHeaders, 1, "x"), {}),
            CloseReason::None);
  EXPECT_FALSE(pieces.in_header_block());
}

}  // namespace
}  // namespace berth::http
