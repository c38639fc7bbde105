// The tables of methods, field names and authorities.
#include <gtest/gtest.h>

#include <string>

#include "proxy/http/authority.h"
#include "proxy/http/char_class.h"
#include "proxy/http/header_id.h"
#include "proxy/http/method.h"

namespace berth::http {
namespace {

struct Name {
  std::string text;
  HeaderId id;
};

const Name kNames[] = {
    {"Accept", HeaderId::Accept},
    {"Accept-Encoding", HeaderId::AcceptEncoding},
    {"Authorization", HeaderId::Authorization},
    {"Cache-Control", HeaderId::CacheControl},
    {"Connection", HeaderId::Connection},
    {"Content-Length", HeaderId::ContentLength},
    {"Content-Type", HeaderId::ContentType},
    {"Cookie", HeaderId::Cookie},
    {"Date", HeaderId::Date},
    {"Expect", HeaderId::Expect},
    {"Forwarded", HeaderId::Forwarded},
    {"Host", HeaderId::Host},
    {"Idempotency-Key", HeaderId::IdempotencyKey},
    {"Keep-Alive", HeaderId::KeepAlive},
    {"Proxy-Authenticate", HeaderId::ProxyAuthenticate},
    {"Proxy-Authorization", HeaderId::ProxyAuthorization},
    {"Proxy-Connection", HeaderId::ProxyConnection},
    {"Referer", HeaderId::Referer},
    {"Retry-After", HeaderId::RetryAfter},
    {"Server", HeaderId::Server},
    {"Set-Cookie", HeaderId::SetCookie},
    {"TE", HeaderId::Te},
    {"Trailer", HeaderId::Trailer},
    {"Transfer-Encoding", HeaderId::TransferEncoding},
    {"Upgrade", HeaderId::Upgrade},
    {"User-Agent", HeaderId::UserAgent},
    {"Via", HeaderId::Via},
    {"X-Forwarded-For", HeaderId::XForwardedFor},
    {"X-Forwarded-Host", HeaderId::XForwardedHost},
    {"X-Forwarded-Proto", HeaderId::XForwardedProto},
    {"X-Request-Id", HeaderId::XRequestId},
};

TEST(HeaderIds, KnowsEveryNameInAnyCase) {
  EXPECT_EQ(std::size(kNames) + 1, kHeaderIdCount);
  for (const Name& name : kNames) {
    std::string lower = name.text, upper = name.text;
    for (char& c : lower) c = to_lower(c);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
    for (const std::string& text : {name.text, lower, upper}) {
      EXPECT_EQ(header_id(text), name.id) << text;
    }
  }
}

// A byte is the same as another only if they are the two cases of one letter.
TEST(HeaderIds, KnowsNoOtherName) {
  for (const Name& name : kNames) {
    for (size_t at = 0; at < name.text.size(); ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text = name.text;
        text[at] = static_cast<char>(c);
        const bool same = to_lower(text[at]) == to_lower(name.text[at]);
        EXPECT_EQ(header_id(text), same ? name.id : HeaderId::Other) << text;
      }
    }
    EXPECT_EQ(header_id(name.text + "x"), HeaderId::Other) << name.text;
    EXPECT_EQ(header_id(name.text.substr(1)), HeaderId::Other) << name.text;
  }
  EXPECT_EQ(header_id(""), HeaderId::Other);
  EXPECT_EQ(header_id(std::string(300, 'x')), HeaderId::Other);
}

TEST(Methods, NamesAndBack) {
  for (size_t i = 0; i + 1 < kMethodCount; ++i) {
    const auto method = static_cast<Method>(i);
    const std::string name(to_string(method));
    EXPECT_EQ(method_from(name), method) << name;
    EXPECT_EQ(method_from(name + "S"), Method::Other);
    for (size_t at = 0; at < name.size(); ++at) {
      std::string other = name;
      other[at] = to_lower(other[at]);
      EXPECT_EQ(method_from(other), Method::Other) << other;
    }
  }
  EXPECT_EQ(method_from(""), Method::Other);
  EXPECT_EQ(method_from("PURGE"), Method::Other);
  EXPECT_EQ(to_string(Method::Other), "OTHER");
}

TEST(Authority, Accepted) {
  for (const char* text :
       {"a", "example.test", "EXAMPLE.test.", "a:80", "a:0", "a:65535", "a:00080", "127.0.0.1",
        "127.0.0.1:3000", "xn--bcher-kva.example", "my_service.local", "a~b", "-", "[::1]",
        "[::1]:80", "a:", "[::1]:", "[2001:db8::1]", "[::ffff:1.2.3.4]:1"}) {
    EXPECT_TRUE(is_authority(text)) << text;
  }
  EXPECT_TRUE(is_authority(std::string(255, 'a') + ":80"));
}

TEST(Authority, TheSame) {
  const struct {
    const char* a;
    const char* b;
    bool http;
    bool https;
  } kTable[] = {
      {"a", "A", true, true},
      {"a", "a:", true, true},
      {"a:", "a:80", true, false},
      {"a", "a:80", true, false},
      {"a", "a:443", false, true},
      {"a:80", "a:0080", true, true},
      {"a:80", "a:443", false, false},
      {"a", "b", false, false},
      {"a", "a.", false, false},
      {"[::1]", "[::1]:", true, true},
      {"[::1]:80", "[::1]", true, false},
      {"[::1]", "[::2]", false, false},
      {"a", "a:8080", false, false},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(same_authority(row.a, row.b, kHttpPort), row.http) << row.a << " " << row.b;
    EXPECT_EQ(same_authority(row.b, row.a, kHttpsPort), row.https) << row.a << " " << row.b;
  }
}

TEST(Authority, Refused) {
  for (const char* text : {"",
                           ":",
                           ":80",
                           ":",
                           "a::",
                           "a:b",
                           "a:80:80",
                           "a:65536",
                           "a:99999",
                           "a:100000",
                           "a:+80",
                           "a:-1",
                           "a: 80",
                           "u@a",
                           "u:p@a",
                           "a b",
                           "a,b",
                           "a;b",
                           "a/b",
                           "a?b",
                           "a#b",
                           "a\\b",
                           "a%41",
                           "a!b",
                           "a$b",
                           "a&b",
                           "a'b",
                           "a(b)",
                           "a*b",
                           "a+b",
                           "a=b",
                           "a\"b",
                           "<a>",
                           "a|b",
                           "a`b",
                           "a^b",
                           "{a}",
                           "b\xc3\xbc",
                           "a\x7f",
                           "[",
                           "[]",
                           "[::1",
                           "::1",
                           "[::1]x",
                           "[::1]80",
                           "[::1%25eth0]",
                           "[v1.a]",
                           "[::g]",
                           "[1.2.3.4]",
                           "[:::]",
                           "[::1]]",
                           "[[::1]]",
                           "a[::1]",
                           "a]",
                           "[1:2:3:4:5:6:7:8:9]",
                           "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"}) {
    EXPECT_FALSE(is_authority(text)) << text;
  }
  EXPECT_FALSE(is_authority(std::string(256, 'a')));
  EXPECT_FALSE(is_authority(std::string_view("[::1\0]", 6)));
  EXPECT_FALSE(is_authority(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace berth::http
