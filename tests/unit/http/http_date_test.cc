#include "proxy/http/http_date.h"

#include <gtest/gtest.h>

namespace berth::http {
namespace {

TEST(HttpDate, IsWrittenAnewWithEachSecond) {
  HttpDate date;
  EXPECT_EQ(date.text(784111777'000'000), "Sun, 06 Nov 1994 08:49:37 GMT");
  const char* const place = date.text(784111777'999'999).data();
  EXPECT_EQ(std::string_view(place), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.text(784111778'000'000), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(date.text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date.text(1709164800'000'000), "Thu, 29 Feb 2024 00:00:00 GMT");
}

}  // namespace
}  // namespace berth::http
