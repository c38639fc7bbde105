#include "proxy/server/log.h"

#include <gtest/gtest.h>

namespace berth::server {
namespace {

TEST(LogTest, LineHasTimeLevelTopicAndMessage) {
  EXPECT_EQ(format_log_line(1'790'000'000'007, LogLevel::Warn, "reload", "3 pools kept"),
            "2026-09-21T14:13:20.007Z warn reload: 3 pools kept\n");
}

TEST(LogTest, NothingFromOutsideForgesALine) {
  EXPECT_EQ(format_log_line(0, LogLevel::Info, "x", "a\nb\x1b[31m\r\x7f\xc3\xbc"),
            "1970-01-01T00:00:00.000Z info x: a\\nb\\x1b[31m\\x0d\\x7f\xc3\xbc\n");
}

TEST(LogTest, PartsAreJoined) {
  testing::internal::CaptureStderr();
  log_info("test", "text ", std::string("string "), uint16_t{7}, ' ', true, ' ', -3, ' ', 1.5);
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(line.ends_with(" info test: text string 7 true -3 1.5\n")) << line;
}

}  // namespace
}  // namespace berth::server
