#include "proxy/exchange/via.h"

#include <gtest/gtest.h>

#include "proxy/http/head_parser.h"

namespace berth::exchange {
namespace {

bool passed(const std::string& lines, std::string_view instance = "berth-1") {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
  http::HeadProgress progress;
  http::RequestHead head;
  EXPECT_EQ(http::HeadParser::parse(bytes, {}, progress, head).status, http::ParseStatus::Complete);
  return has_passed(head, instance);
}

TEST(Via, TellsARequestThatHasBeenHere) {
  for (const char* lines :
       {"Via: 1.1 berth-1\r\n", "via: 1.0 a, 2.0 berth-1, 1.1 b\r\n",
        "Via: 1.1 a\r\nVia: 1.1  berth-1 (a comment)\r\n", "Via:1.1 berth-1,1.1 x\r\n"}) {
    EXPECT_TRUE(passed(lines)) << lines;
  }
  for (const char* lines :
       {"", "Via: 1.1 berth\r\n", "Via: 1.1 berth-2\r\n", "Via: 1.1 berth-11\r\n",
        "Via: berth-1\r\n", "X-Via: 1.1 berth-1\r\n", "Via: 1.1 a (berth-1)\r\n", "Via:\r\n"}) {
    EXPECT_FALSE(passed(lines)) << lines;
  }
  EXPECT_FALSE(passed("Via: 1.1 berth-1\r\n", ""));
}

TEST(Via, NamesAreAllDifferent) {
  Random random(1);
  const std::string one = make_instance_name(random);
  EXPECT_EQ(one.size(), 22u);
  EXPECT_NE(one, make_instance_name(random));
}

}  // namespace
}  // namespace berth::exchange
