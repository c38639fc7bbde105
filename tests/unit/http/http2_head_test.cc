#include "proxy/http/http2_head.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/http/http2_wire.h"

namespace berth::http {
namespace {

using wire::Fields;
using wire::get;
using wire::post;

class Http2HeadTest : public testing::Test {
 protected:
  Http2HeadBuilder::Outcome build(const Fields& fields, bool ends = true) {
    builder.begin(limits);
    for (const auto& [name, value] : fields) builder.add(name, value);
    return builder.finish(ends, "AAAAAAAAAAAAAAAAAAAAAA==", *head);
  }
  CloseReason refusal(const Fields& fields, bool ends = true) {
    return build(fields, ends).refusal;
  }
  std::string value(std::string_view name) {
    const HeaderField* field = head->fields.find(name);
    return field == nullptr ? "absent" : std::string(field->value);
  }
  // A request with one more field.
  static Fields with(std::string name, std::string value) {
    return get("/", {{std::move(name), std::move(value)}});
  }
  // A request whose field has this value instead, or lacks it.
  static Fields but(std::string_view name, const std::string& value) {
    Fields fields = get();
    for (auto& field : fields) {
      if (field.first == name) field.second = value;
    }
    return fields;
  }
  static Fields without(std::string_view name) {
    Fields fields = get();
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    return fields;
  }

  HeadLimits limits;
  Http2HeadBuilder builder;
  std::unique_ptr<RequestHead> head = std::make_unique<RequestHead>();
};

TEST_F(Http2HeadTest, IsAnHttp1Head) {
  EXPECT_EQ(refusal(get("/a/b?c=d", {{"accept", "*/*"}, {"x-a", ""}})), CloseReason::None);
  EXPECT_EQ(head->method, Method::Get);
  EXPECT_EQ(head->target, "/a/b?c=d");
  EXPECT_EQ(head->path, "/a/b?c=d");
  EXPECT_EQ(head->host, "app.test");
  EXPECT_EQ(head->summary.minor_version, 1);
  EXPECT_TRUE(head->summary.persistent());
  EXPECT_EQ(value("accept"), "*/*");
  EXPECT_EQ(value("x-a"), "");
  EXPECT_NE(head->fields.find(HeaderId::Host)->line_size, 0u) << "copied at once when forwarded";
}

TEST_F(Http2HeadTest, PseudoHeadersInAnyOrder) {
  EXPECT_EQ(
      refusal({{":path", "/x"}, {":authority", "a"}, {":method", "PUT"}, {":scheme", "https"}}),
      CloseReason::None);
  EXPECT_EQ(head->method, Method::Put);
}

TEST_F(Http2HeadTest, PseudoHeadersThatAreNotAsTheyShould) {
  constexpr auto kBad = CloseReason::BadPseudoHeader;
  EXPECT_EQ(refusal(without(":method")), kBad);
  EXPECT_EQ(refusal(without(":scheme")), kBad);
  EXPECT_EQ(refusal(without(":path")), kBad);
  EXPECT_EQ(refusal({}), kBad);
  EXPECT_EQ(refusal(with(":path", "/")), kBad) << "twice";
  EXPECT_EQ(refusal(with(":method", "GET")), kBad) << "twice";
  EXPECT_EQ(refusal(with(":authority", "app.test")), kBad) << "twice";
  EXPECT_EQ(refusal(with(":status", "200")), kBad) << "of a response";
  EXPECT_EQ(refusal(with(":unknown", "1")), kBad);
  EXPECT_EQ(refusal(with(":", "1")), kBad);
  EXPECT_EQ(refusal({{":method", "GET"}, {":scheme", "http"}, {"x", "y"}, {":path", "/"}}), kBad)
      << "behind a regular field";
  EXPECT_EQ(refusal({{"x", "y"}, {":method", "GET"}, {":scheme", "http"}, {":path", "/"}}), kBad);
  EXPECT_EQ(refusal(but(":scheme", "ftp")), kBad);
  EXPECT_EQ(refusal(but(":scheme", "")), kBad);
  EXPECT_EQ(refusal(but(":scheme", "http ")), kBad);
}

TEST_F(Http2HeadTest, Methods) {
  EXPECT_EQ(refusal(but(":method", "BREW")), CloseReason::None);
  EXPECT_EQ(head->method_text, "BREW");
  for (const char* bad :
       {"", "GET ", "G T", "GET\r\nX: y", "GE\tT", "G(T", "GET / HTTP/1.1\r\nA: b"}) {
    EXPECT_EQ(refusal(but(":method", bad)), CloseReason::BadMethod) << bad;
  }
  EXPECT_EQ(refusal(but(":method", std::string("G\0T", 3))), CloseReason::BadMethod);
  EXPECT_EQ(refusal(but(":method", std::string(33, 'A'))), CloseReason::BadMethod);
  EXPECT_EQ(refusal(but(":method", "TRACE")), CloseReason::MethodNotAllowed);
}

TEST_F(Http2HeadTest, Paths) {
  for (const char* bad : {"", "x", "http://app.test/", "/a b", "/ HTTP/1.1\r\nX: y", "/a\r\nX: y",
                          "/a\n", "/a\rb", "/a#b", "/\x7f", "/\xc3\xa4", "*x", "?a", "\\"}) {
    EXPECT_EQ(refusal(but(":path", bad)), CloseReason::BadTarget) << bad;
  }
  EXPECT_EQ(refusal(but(":path", std::string("/a\0b", 4))), CloseReason::BadTarget);
  EXPECT_EQ(refusal(but(":path", "*")), CloseReason::BadTarget) << "only for OPTIONS";
  Fields options = but(":path", "*");
  options[0].second = "OPTIONS";
  EXPECT_EQ(refusal(options), CloseReason::None);
  limits.max_target = 100;
  EXPECT_EQ(refusal(but(":path", "/" + std::string(99, 'a'))), CloseReason::None);
  EXPECT_EQ(refusal(but(":path", "/" + std::string(100, 'a'))), CloseReason::TargetTooLong);
}

TEST_F(Http2HeadTest, TheAuthorityIsTheHost) {
  EXPECT_EQ(refusal(but(":authority", "[::1]:8080")), CloseReason::None);
  EXPECT_EQ(head->host, "[::1]:8080");
  for (const char* bad : {"", "a b", "user@app.test", ":", "app.test:99999", "a,b", "a\r\nX: y",
                          "a/b", "a?b", " app.test", "app.test "}) {
    EXPECT_EQ(refusal(but(":authority", bad)), CloseReason::BadHost) << bad;
  }
}

TEST_F(Http2HeadTest, HostMayTakeItsPlaceOrRepeatIt) {
  Fields fields = without(":authority");
  EXPECT_EQ(refusal(fields), CloseReason::BadHost) << "neither";
  fields.push_back({"host", "other.test"});
  EXPECT_EQ(refusal(fields), CloseReason::None);
  EXPECT_EQ(head->host, "other.test");
  fields.push_back({"host", "other.test"});
  EXPECT_EQ(refusal(fields), CloseReason::BadHost) << "twice";
  EXPECT_EQ(refusal(with("host", "App.Test")), CloseReason::None) << "the same";
  for (const char* same : {"app.test:80", "app.test:"}) {
    EXPECT_EQ(refusal(with("host", same)), CloseReason::None) << same;
  }
  for (const char* other : {"app.test:443", "app.test:81", "app.test.", "app.test:x"}) {
    EXPECT_EQ(refusal(with("host", other)), CloseReason::BadHost) << other;
  }
  size_t hosts = 0;
  for (const HeaderField& field : head->fields) hosts += field.id == HeaderId::Host ? 1 : 0;
  EXPECT_EQ(hosts, 1u);
  EXPECT_EQ(head->host, "app.test");
  EXPECT_EQ(refusal(with("host", "evil.test")), CloseReason::BadHost);
  EXPECT_EQ(refusal(with("host", "")), CloseReason::BadHost);
}

TEST_F(Http2HeadTest, Names) {
  for (const char* bad :
       {"", "X-Upper", "x-uppeR", "x y", "x:y", "x\r\n", "x\n", "x\ty", "x\xe4", "(x)"}) {
    EXPECT_EQ(refusal(with(bad, "v")), CloseReason::BadHeaderName) << bad;
  }
  EXPECT_EQ(refusal(with(std::string("x\0y", 3), "v")), CloseReason::BadHeaderName);
  EXPECT_EQ(refusal(with("x_y.z~1", "v")), CloseReason::None);
}

TEST_F(Http2HeadTest, Values) {
  for (const char* bad :
       {"a\r\nx: y", "a\nb", "a\rb", "\n", "\x01", "a\x7f", " a", "a ", "\ta", "a\t", " "}) {
    EXPECT_EQ(refusal(with("x", bad)), CloseReason::BadHeaderValue) << bad;
  }
  EXPECT_EQ(refusal(with("x", std::string("a\0b", 3))), CloseReason::BadHeaderValue);
  EXPECT_EQ(refusal(with("x", "a\tb \xe4")), CloseReason::None);
  EXPECT_EQ(value("x"), "a\tb \xe4");
}

TEST_F(Http2HeadTest, ConnectionSpecificFields) {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    EXPECT_EQ(refusal(with(name, "x")), CloseReason::ConnectionField) << name;
  }
  EXPECT_EQ(refusal(with("transfer-encoding", "chunked"), false), CloseReason::ConnectionField);
  EXPECT_EQ(refusal(with("te", "gzip")), CloseReason::ConnectionField);
  EXPECT_EQ(refusal(with("te", "trailers, gzip")), CloseReason::ConnectionField);
  EXPECT_EQ(refusal(with("te", "trailers")), CloseReason::None);
  EXPECT_TRUE(head->summary.te_trailers);
}

TEST_F(Http2HeadTest, CookieCrumbsAreOneField) {
  EXPECT_EQ(
      refusal(get("/", {{"cookie", "a=b"}, {"x", "y"}, {"cookie", "c=d"}, {"cookie", "e=f"}})),
      CloseReason::None);
  EXPECT_EQ(value("cookie"), "a=b; c=d; e=f");
  EXPECT_EQ(head->fields.size(), 3u);
}

TEST_F(Http2HeadTest, ManyCookieCrumbsAreNotManyFields) {
  Fields fields = get();
  for (int i = 0; i < 500; ++i) fields.push_back({"cookie", "a=b"});
  EXPECT_EQ(refusal(fields), CloseReason::None);
}

TEST_F(Http2HeadTest, Framing) {
  EXPECT_EQ(refusal(post({{"content-length", "5"}}), false), CloseReason::None);
  EXPECT_FALSE(head->summary.chunked);
  EXPECT_EQ(head->summary.content_length, 5u);
  EXPECT_EQ(refusal(post(), false), CloseReason::None);
  EXPECT_TRUE(head->summary.chunked);
  EXPECT_EQ(refusal(post(), true), CloseReason::None);
  EXPECT_FALSE(head->summary.chunked);
  EXPECT_EQ(refusal(post({{"content-length", "0"}}), true), CloseReason::None);
  EXPECT_EQ(refusal(post({{"content-length", "5"}}), true), CloseReason::BadContentLength);
  EXPECT_EQ(refusal(post({{"content-length", "5"}, {"content-length", "5"}}), false),
            CloseReason::BadContentLength);
  for (const char* bad : {"", "-1", "+5", "5, 5", "0x5", "5a", "99999999999999999999"}) {
    EXPECT_EQ(refusal(post({{"content-length", bad}}), false), CloseReason::BadContentLength)
        << bad;
  }
}

TEST_F(Http2HeadTest, Expectations) {
  EXPECT_EQ(refusal(post({{"expect", "100-continue"}}), false), CloseReason::None);
  EXPECT_TRUE(head->expect_continue);
  EXPECT_EQ(refusal(post({{"expect", "tea"}}), false), CloseReason::BadExpect);
}

TEST_F(Http2HeadTest, Sizes) {
  limits.max_head = 2000;
  EXPECT_EQ(refusal(with("x", std::string(1800, 'a'))), CloseReason::None);
  EXPECT_EQ(refusal(with("x", std::string(2000, 'a'))), CloseReason::HeadTooLarge);
  EXPECT_GT(builder.decoded(), 2000u);
  Fields crumbs = get();
  for (int i = 0; i < 30; ++i) crumbs.push_back({"cookie", std::string(100, 'a')});
  EXPECT_EQ(refusal(crumbs), CloseReason::HeadTooLarge);
  limits = {};
  Fields many = get();
  for (int i = 0; i < 128; ++i) many.push_back({"x", "y"});
  EXPECT_EQ(refusal(many), CloseReason::None);
  // A few more are those that we may add ourselves.
  for (int i = 0; i < 4; ++i) many.push_back({"x", "y"});
  EXPECT_EQ(refusal(many), CloseReason::TooManyHeaders);
}

TEST_F(Http2HeadTest, Connect) {
  EXPECT_EQ(refusal({{":method", "CONNECT"}, {":authority", "a.test:443"}}),
            CloseReason::MethodNotAllowed);
  EXPECT_EQ(refusal(but(":method", "CONNECT")), CloseReason::BadPseudoHeader) << "with a path";
  EXPECT_EQ(refusal({{":method", "CONNECT"}}), CloseReason::BadPseudoHeader);
}

class ExtendedConnectTest : public Http2HeadTest {
 protected:
  static Fields connect(std::string protocol = "websocket", Fields more = {}) {
    Fields fields = {{":method", "CONNECT"},
                     {":protocol", std::move(protocol)},
                     {":scheme", "https"},
                     {":authority", "app.test"},
                     {":path", "/ws"}};
    for (auto& field : more) fields.push_back(std::move(field));
    return fields;
  }
};

TEST_F(ExtendedConnectTest, IsAnUpgrade) {
  const auto outcome = build(connect("websocket", {{"sec-websocket-version", "13"}}), false);
  EXPECT_EQ(outcome.refusal, CloseReason::None);
  EXPECT_TRUE(outcome.tunnel);
  EXPECT_EQ(head->method, Method::Get);
  EXPECT_TRUE(head->summary.upgrade);
  EXPECT_FALSE(head->summary.chunked);
  EXPECT_EQ(value("upgrade"), "websocket");
  EXPECT_EQ(value("sec-websocket-key"), "AAAAAAAAAAAAAAAAAAAAAA==");
}

TEST_F(ExtendedConnectTest, TheKeyIsOurs) {
  EXPECT_EQ(refusal(connect("websocket", {{"sec-websocket-key", "mine"}}), false),
            CloseReason::None);
  EXPECT_EQ(value("sec-websocket-key"), "AAAAAAAAAAAAAAAAAAAAAA==");
}

TEST_F(ExtendedConnectTest, Refusals) {
  EXPECT_EQ(refusal(connect("connect-udp"), false), CloseReason::MethodNotAllowed);
  EXPECT_EQ(refusal(connect("websocket\r\nX: y"), false), CloseReason::MethodNotAllowed);
  EXPECT_EQ(refusal(connect("websocket", {{"content-length", "5"}}), false),
            CloseReason::BadUpgrade);
  Fields fields = connect();
  fields[0].second = "GET";
  EXPECT_EQ(refusal(fields, false), CloseReason::BadPseudoHeader) << ":protocol without CONNECT";
  fields = connect();
  std::erase_if(fields, [](const auto& field) { return field.first == ":path"; });
  EXPECT_EQ(refusal(fields, false), CloseReason::BadPseudoHeader);
}

TEST_F(Http2HeadTest, IsAsNewForTheNextOne) {
  EXPECT_EQ(refusal(with("X", "y")), CloseReason::BadHeaderName);
  EXPECT_EQ(refusal(with("cookie", "a")), CloseReason::None);
  EXPECT_EQ(refusal(get()), CloseReason::None);
  EXPECT_EQ(value("cookie"), "absent");
}

}  // namespace
}  // namespace berth::http
