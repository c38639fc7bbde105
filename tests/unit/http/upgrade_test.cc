#include "proxy/http/upgrade.h"

#include <gtest/gtest.h>

#include "proxy/http/head_parser.h"

namespace berth::http {
namespace {

std::string_view wrong(const std::string& lines, const UpgradeOffer* offer) {
  const std::string bytes = "HTTP/1.1 101 Switching Protocols\r\n" + lines + "\r\n";
  HeadProgress progress;
  ResponseHead head;
  EXPECT_EQ(HeadParser::parse(bytes, {}, progress, head).status, ParseStatus::Complete);
  return why_not_upgraded(head, offer);
}

TEST(Upgrade, FitsTheOffer) {
  const UpgradeOffer echo{.protocol = "echo", .accept = ""};
  const UpgradeOffer websocket{.protocol = "WebSocket", .accept = "right="};
  const std::string lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  EXPECT_EQ(wrong("Connection: Upgrade\r\nUpgrade: Echo\r\n", &echo), "");
  EXPECT_EQ(wrong(lines + "Sec-WebSocket-Accept: right=\r\n", &websocket), "");
  EXPECT_EQ(wrong(lines, nullptr), "101 to a request that asked for no upgrade");
  EXPECT_EQ(wrong("", &echo), "101 without Upgrade");
  EXPECT_EQ(wrong(lines, &echo), "101 for another protocol");
  EXPECT_EQ(wrong(lines, &websocket), "101 without Sec-WebSocket-Accept");
  EXPECT_EQ(wrong(lines + "Sec-WebSocket-Accept: Right=\r\n", &websocket),
            "a wrong Sec-WebSocket-Accept");
}

}  // namespace
}  // namespace berth::http
