#include "proxy/http/cookie.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace berth::http {
namespace {

std::optional<std::string_view> find(std::initializer_list<std::string_view> lines,
                                     std::string_view name) {
  HeaderList fields;
  fields.push({.name = "Host", .value = "sid=host", .id = HeaderId::Host});
  for (const std::string_view line : lines) {
    fields.push({.name = "Cookie", .value = line, .id = HeaderId::Cookie});
  }
  return find_cookie(fields, name);
}

TEST(FindCookie, FindsTheOneWithTheName) {
  EXPECT_EQ(find({"sid=1"}, "sid"), "1");
  EXPECT_EQ(find({"a=0; sid=1; b=2"}, "sid"), "1");
  EXPECT_EQ(find({"a=0;sid=1;b=2"}, "sid"), "1");
  EXPECT_EQ(find({"a=0 ;  sid = 1  ; b=2"}, "sid"), "1");
  EXPECT_EQ(find({"a=0", "sid=1"}, "sid"), "1");  // HTTP/2 splits them (RFC 9113 section 8.2.3)
  EXPECT_EQ(find({"sid=1; sid=2"}, "sid"), "1");
  EXPECT_EQ(find({"sid=a=b=="}, "sid"), "a=b==");
  EXPECT_EQ(find({"sid=\"q\""}, "sid"), "q");
  EXPECT_EQ(find({"sid="}, "sid"), "");
}

TEST(FindCookie, TakesNothingElseForIt) {
  for (const std::string_view line : {"", ";", "sid", "SID=1", "sid2=1", "asid=1", "a=sid=1",
                                      "a=sid; b=1", "=sid", "a=\"x; y\"", ";;;;"}) {
    EXPECT_EQ(find({line}, "sid"), std::nullopt) << line;
  }
  EXPECT_EQ(find({"sid=\""}, "sid"), "\"");
  EXPECT_EQ(find({}, "sid"), std::nullopt);
}

}  // namespace
}  // namespace berth::http
