#include "proxy/http/http2_settings.h"

#include <gtest/gtest.h>

#include "tests/unit/http/http2_wire.h"

namespace berth::http {
namespace {

TEST(Http2Settings, GiveAServerAway) {
  EXPECT_TRUE(begins_with_settings(wire::frame(Http2Frame::Settings, 0, 0)));
  EXPECT_TRUE(begins_with_settings(wire::frame(Http2Frame::Settings, 0, 0, std::string(12, 'x'))));
  EXPECT_FALSE(begins_with_settings(""));
  EXPECT_FALSE(begins_with_settings(wire::frame(Http2Frame::Settings, 0, 0).substr(0, 8)));
  EXPECT_FALSE(begins_with_settings(wire::frame(Http2Frame::Settings, wire::kAck, 0)));
  EXPECT_FALSE(begins_with_settings(wire::frame(Http2Frame::Settings, 0, 1)));
  EXPECT_FALSE(begins_with_settings(wire::frame(Http2Frame::Settings, 0, 0, "x")));
  EXPECT_FALSE(begins_with_settings(wire::frame(Http2Frame::Ping, 0, 0)));
  EXPECT_FALSE(begins_with_settings("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace berth::http
