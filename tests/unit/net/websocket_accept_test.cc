#include "proxy/net/websocket_accept.h"

#include <gtest/gtest.h>

namespace berth::net {
namespace {

// The example of RFC 6455 section 1.3.
TEST(WebsocketAccept, AnswersTheKey) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace berth::net
