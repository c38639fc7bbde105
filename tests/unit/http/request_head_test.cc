// What a request head is taken to mean.
#include <gtest/gtest.h>

#include "tests/unit/http/parse_every_way.h"

namespace berth::http {
namespace {

using Request = Parsed<RequestHead>;

Request accept(std::string_view bytes, const HeadLimits& limits = {}) {
  Request parsed = parse_every_way<RequestHead>(bytes, limits);
  EXPECT_EQ(parsed.outcome.status, ParseStatus::Complete) << printable(bytes) << parsed.text();
  return parsed;
}

// A GET to example.test with these further lines.
Request accept_lines(const std::string& lines, const std::string& start = "GET / HTTP/1.1") {
  return accept(start + "\r\nHost: example.test\r\n" + lines + "\r\n");
}

TEST(RequestHead, TakesARequestApart) {
  const std::string bytes =
      "POST /a/b?c=d%20e HTTP/1.1\r\nHost: example.test:8080\r\nUser-Agent: x y\tz \xc3\xa9\r\n"
      "Empty:\r\nSpaced: \t value \t \r\nContent-Length: 5\r\n\r\nhello";
  const Request parsed = accept(bytes);
  const RequestHead& head = *parsed.head;
  EXPECT_EQ(parsed.outcome.head_size, bytes.size() - 5);
  EXPECT_EQ(head.method, Method::Post);
  EXPECT_EQ(head.method_text, "POST");
  EXPECT_EQ(head.target, "/a/b?c=d%20e");
  EXPECT_EQ(head.path, "/a/b?c=d%20e");
  EXPECT_EQ(head.host, "example.test:8080");
  EXPECT_EQ(head.summary.content_length, 5u);
  EXPECT_EQ(head.summary.minor_version, 1);
  EXPECT_FALSE(head.summary.chunked);
  ASSERT_EQ(head.fields.size(), 5u);
  EXPECT_EQ(head.fields.find(HeaderId::UserAgent)->value, "x y\tz \xc3\xa9");
  EXPECT_EQ(head.fields.find("EMPTY")->value, "");
  EXPECT_EQ(head.fields.find("spaced")->value, "value");
  EXPECT_EQ(head.fields.find("absent"), nullptr);
  EXPECT_EQ(head.fields.find(HeaderId::Cookie), nullptr);
}

TEST(RequestHead, ViewsPointIntoTheBytes) {
  const Request parsed = accept("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(parsed.head->target.data(), parsed.bytes.get() + 4);
  EXPECT_EQ(parsed.head->fields.begin()->name.data(), parsed.bytes.get() + 17);
}

TEST(RequestHead, StopsAtItsOwnEnd) {
  const std::string one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const Request parsed = accept(one + "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(parsed.outcome.head_size, one.size());
  EXPECT_EQ(parsed.head->path, "/1");
}

TEST(RequestHead, SkipsOneEmptyLine) {
  const std::string bytes = "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(accept(bytes).outcome.head_size, bytes.size());
}

TEST(RequestHead, WantsMoreUntilTheEmptyLine) {
  const std::string bytes = "\r\nGET /1 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Request parsed = parse_at_once<RequestHead>(bytes.substr(0, size));
    EXPECT_EQ(parsed.outcome.status, ParseStatus::Incomplete) << size;
  }
}

TEST(RequestHead, ProgressIsReadyForTheNextHead) {
  const std::string bytes = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  HeadProgress progress;
  RequestHead head;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(HeadParser::parse(bytes.substr(0, 20), {}, progress, head).status,
              ParseStatus::Incomplete);
    EXPECT_EQ(HeadParser::parse(bytes, {}, progress, head).status, ParseStatus::Complete);
    EXPECT_EQ(HeadParser::parse("bad\n", {}, progress, head).status, ParseStatus::Refused);
  }
}

TEST(RequestHead, KnowsTheMethods) {
  for (const char* name : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const Request parsed = accept_lines("", std::string(name) + " / HTTP/1.1");
    EXPECT_EQ(to_string(parsed.head->method), name);
  }
  const std::string longest(32, 'M');
  for (const std::string& name : {std::string("M-SEARCH"), std::string("get"), longest}) {
    const Request parsed = accept_lines("", name + " / HTTP/1.1");
    EXPECT_EQ(parsed.head->method, Method::Other);
    EXPECT_EQ(parsed.head->method_text, name);
  }
}

TEST(RequestHead, KnowsTheFormsOfATarget) {
  struct Case {
    std::string line, host, path, want_host;
  };
  const Case cases[] = {
      {"GET /?a=%&b=\\|{}^`\"<> HTTP/1.1", "a", "/?a=%&b=\\|{}^`\"<>", "a"},
      {"GET // HTTP/1.1", "a", "//", "a"},
      {"OPTIONS * HTTP/1.1", "a", "*", "a"},
      {"GET http://a.test/x?y HTTP/1.1", "a.test", "/x?y", "a.test"},
      {"GET HTTP://A.test/x HTTP/1.1", "a.TEST", "/x", "a.TEST"},
      {"GET https://a.test:8443 HTTP/1.1", "a.test:8443", "/", "a.test:8443"},
      {"OPTIONS http://a.test HTTP/1.1", "a.test", "*", "a.test"},
      {"OPTIONS http://a.test/ HTTP/1.1", "a.test", "/", "a.test"},
      {"GET http://[::1]:80/ HTTP/1.1", "[::1]:80", "/", "[::1]:80"},
      {"GET http://a.test?x=1 HTTP/1.1", "a.test", "/?x=1", "a.test"},
      {"GET https://a.test:8443?x HTTP/1.1", "a.test:8443", "/?x", "a.test:8443"},
      {"GET http://a.test? HTTP/1.1", "a.test", "/?", "a.test"},
      {"OPTIONS http://a.test?x HTTP/1.1", "a.test", "/?x", "a.test"},
      // The same site, written with its scheme's port or without.
      {"GET http://a.test/ HTTP/1.1", "a.test:80", "/", "a.test:80"},
      {"GET http://a.test:80/ HTTP/1.1", "a.test", "/", "a.test"},
      {"GET http://a.test:/ HTTP/1.1", "A.test", "/", "A.test"},
      {"GET https://a.test:443/ HTTP/1.1", "a.test:", "/", "a.test:"},
      {"GET https://[::1]:443/ HTTP/1.1", "[::1]", "/", "[::1]"},
      {"GET / HTTP/1.1", "a.test:", "/", "a.test:"},
      {"GET / HTTP/1.1", "a.test.", "/", "a.test."},
      {"GET / HTTP/1.1", "[::1]:", "/", "[::1]:"},
      {"GET http://a.test/http://b.test/?@ HTTP/1.1", "a.test", "/http://b.test/?@", "a.test"},
  };
  for (const Case& c : cases) {
    const Request parsed = accept(c.line + "\r\nHost: " + c.host + "\r\n\r\n");
    EXPECT_EQ(parsed.head->path, c.path);
    EXPECT_EQ(parsed.head->host, c.want_host);
  }
}

// RFC 9110 section 2.5: a newer minor version is taken for the newest that is known.
TEST(RequestHead, NewerMinorVersions) {
  for (const char* version : {"1.2", "1.3", "1.9"}) {
    const Request parsed =
        accept_lines("Transfer-Encoding: chunked\r\n", std::string("POST / HTTP/") + version);
    EXPECT_EQ(parsed.head->summary.minor_version, 1);
    EXPECT_TRUE(parsed.head->summary.chunked);
    EXPECT_TRUE(parsed.head->summary.persistent());
  }
}

TEST(RequestHead, Http10NeedsNoHost) {
  const Request parsed = accept("GET /1 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(parsed.head->host, "");
  EXPECT_EQ(parsed.head->summary.minor_version, 0);
  EXPECT_EQ(accept("GET http://a.test/1 HTTP/1.0\r\n\r\n").head->host, "a.test");
  EXPECT_EQ(accept("GET /1 HTTP/1.0\r\nHost: b\r\n\r\n").head->host, "b");
}

TEST(RequestHead, Persistence) {
  struct Case {
    const char* version;
    const char* lines;
    bool persistent;
  };
  const Case cases[] = {
      {"HTTP/1.1", "", true},
      {"HTTP/1.1", "Connection: close\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive\r\n", true},
      {"HTTP/1.1", "connection: ,x , ClOsE,\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive, close\r\n", false},
      {"HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
      {"HTTP/1.1", "Connection: closed\r\n", true},
      {"HTTP/1.1", "Connection:\r\n", true},
      {"HTTP/1.0", "", false},
      {"HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"HTTP/1.0", "Connection: x,keep-alive\r\n", true},
      {"HTTP/1.0", "Connection: keep-alive, close\r\n", false},
      {"HTTP/1.0", "Proxy-Connection: keep-alive\r\n", false},
  };
  for (const Case& c : cases) {
    const Request parsed = accept_lines(c.lines, std::string("GET / ") + c.version);
    EXPECT_EQ(parsed.head->summary.persistent(), c.persistent) << c.version << " " << c.lines;
  }
}

TEST(RequestHead, Framing) {
  struct Case {
    const char* lines;
    uint64_t length;
    bool chunked;
  };
  const Case cases[] = {
      {"", HeadSummary::kNoLength, false},
      {"Content-Length: 0\r\n", 0, false},
      {"content-LENGTH:42\r\n", 42, false},
      {"Content-Length: \t 0042 \t\r\n", 42, false},
      {"Content-Length: 9223372036854775807\r\n", INT64_MAX, false},
      {"Transfer-Encoding: chunked\r\n", HeadSummary::kNoLength, true},
      {"transfer-encoding:\tCHUNKED \r\n", HeadSummary::kNoLength, true},
  };
  for (const Case& c : cases) {
    const Request parsed = accept_lines(c.lines);
    EXPECT_EQ(parsed.head->summary.content_length, c.length) << c.lines;
    EXPECT_EQ(parsed.head->summary.chunked, c.chunked) << c.lines;
  }
}

TEST(RequestHead, Expectation) {
  EXPECT_TRUE(accept_lines("Expect: 100-continue\r\nContent-Length: 1\r\n").head->expect_continue);
  EXPECT_TRUE(
      accept_lines("expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n").head->expect_continue);
  EXPECT_FALSE(accept_lines("Content-Length: 1\r\n").head->expect_continue);
  EXPECT_FALSE(accept_lines("Expect: 100-continue\r\n").head->expect_continue);
  EXPECT_FALSE(accept_lines("Expect: 100-continue\r\nContent-Length: 0\r\n").head->expect_continue);
  EXPECT_FALSE(accept_lines("Expect: 100-continue\r\nContent-Length: 1\r\n", "POST / HTTP/1.0")
                   .head->expect_continue);
}

TEST(RequestHead, TeTrailers) {
  EXPECT_TRUE(accept_lines("TE: trailers\r\n").head->summary.te_trailers);
  EXPECT_TRUE(accept_lines("TE: gzip;q=0.5, Trailers\r\n").head->summary.te_trailers);
  EXPECT_TRUE(accept_lines("TE: gzip\r\nTE: trailers\r\n").head->summary.te_trailers);
  EXPECT_FALSE(accept_lines("TE: gzip\r\n").head->summary.te_trailers);
  EXPECT_FALSE(accept_lines("TE: trailer\r\n").head->summary.te_trailers);
  EXPECT_FALSE(accept_lines("TE: trailers\r\n", "GET / HTTP/1.0").head->summary.te_trailers);
}

TEST(RequestHead, Upgrade) {
  struct Case {
    const char* lines;
    bool upgrade;
  };
  const Case cases[] = {
      {"Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
      {"Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n", true},
      {"Connection: upgrade\r\nUpgrade: foo/2\r\n", true},
      {"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", true},
      {"Connection: upgrade\r\n", false},
      {"Upgrade: websocket\r\n", false},
      {"Connection: keep-alive\r\nUpgrade: websocket\r\n", false},
      {"Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n", false},
      {"Connection: upgrade\r\nUpgrade: websocket, foo\r\n", false},
      {"Connection: upgrade\r\nUpgrade: web socket\r\n", false},
      {"Connection: upgrade\r\nUpgrade: foo/\r\n", false},
      {"Connection: upgrade\r\nUpgrade: /1\r\n", false},
      {"Connection: upgrade\r\nUpgrade:\r\n", false},
      // What would change the protocol that Berth itself speaks is dropped, body or not.
      {"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", false},
      {"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n", false},
      {"Connection: upgrade\r\nUpgrade: H2C\r\n", false},
      {"Connection: upgrade\r\nUpgrade: h2\r\n", false},
      {"Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", false},
      {"Connection: upgrade\r\nUpgrade: TLS/1.3\r\n", false},
      {"Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(accept_lines(c.lines).head->summary.upgrade, c.upgrade) << c.lines;
  }
  EXPECT_FALSE(accept_lines("Connection: upgrade\r\nUpgrade: websocket\r\n", "GET / HTTP/1.0")
                   .head->summary.upgrade);
}

// "+name" is forwarded, "-name" is not.
std::string forwarding(const HeaderList& fields) {
  std::string out;
  for (const HeaderField& f : fields) {
    out += f.hop_by_hop ? " -" : " +";
    out += f.name;
  }
  return out;
}

TEST(RequestHead, HopByHopFieldsAreMarked) {
  const Request parsed = accept_lines(
      "Connection: close\r\nkeep-alive: timeout=5\r\nProxy-Connection: x\r\nTE: gzip\r\n"
      "Transfer-Encoding: chunked\r\nUpgrade: foo\r\nProxy-Authorization: x\r\n"
      "Proxy-Authenticate: x\r\nTrailer: x\r\nClose: x\r\nX-Close: x\r\n");
  EXPECT_EQ(forwarding(parsed.head->fields),
            " +Host -Connection -keep-alive -Proxy-Connection -TE -Transfer-Encoding -Upgrade"
            " -Proxy-Authorization -Proxy-Authenticate +Trailer +Close +X-Close");
}

TEST(RequestHead, ConnectionNamesMoreHopByHopFields) {
  const Request parsed = accept_lines(
      "X-One: 1\r\nConnection: x-one, X-TWO ,, X-Gone\r\nX-Two: 2\r\nX-Two: 2\r\nX-Three: 3\r\n"
      "Connection: X-THREE\r\nX-On: 4\r\nX-One1: 4\r\n");
  EXPECT_EQ(forwarding(parsed.head->fields),
            " +Host -X-One -Connection -X-Two -X-Two -X-Three -Connection +X-On +X-One1");
}

TEST(RequestHead, ConnectionCannotStripWhatIsMeantForAll) {
  const Request parsed = accept_lines(
      "Connection: Host, Content-Length, Cookie, Authorization, X-Forwarded-For, X-Forwarded-Host,"
      "X-Forwarded-Proto, Forwarded, X-Request-Id, Content-Type, Cache-Control, Expect, Date\r\n"
      "Content-Length: 3\r\nCookie: a\r\nAuthorization: a\r\nX-Forwarded-For: a\r\n"
      "X-Forwarded-Host: a\r\nX-Forwarded-Proto: a\r\nForwarded: a\r\nX-Request-Id: a\r\n"
      "Content-Type: a\r\nCache-Control: a\r\nDate: a\r\n");
  EXPECT_EQ(forwarding(parsed.head->fields),
            " +Host -Connection +Content-Length +Cookie +Authorization +X-Forwarded-For"
            " +X-Forwarded-Host +X-Forwarded-Proto +Forwarded +X-Request-Id +Content-Type"
            " +Cache-Control +Date");
  EXPECT_EQ(parsed.head->summary.content_length, 3u);
}

TEST(RequestHead, LineSizeMarksCanonicalLines) {
  const Request parsed = accept_lines("A: b\r\nB:b\r\nC:  c\r\nD: d \r\nE:\td\r\nF: \r\nG:\r\n");
  std::vector<uint32_t> sizes;
  for (const HeaderField& f : parsed.head->fields) sizes.push_back(f.line_size);
  EXPECT_EQ(sizes, (std::vector<uint32_t>{20, 6, 0, 0, 0, 0, 5, 0}));
}

TEST(RequestHead, LimitsAreInclusive) {
  const std::string start = "GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n";
  accept(start, {.max_head = start.size(), .max_target = 10});
  std::string many;
  for (size_t i = 1; i < HeaderList::kUsual; ++i) many += "x: y\r\n";
  EXPECT_EQ(accept_lines(many).head->fields.size(), HeaderList::kUsual);
}

// A value that ends at each place of a scanner's block, with more or less behind it.
TEST(RequestHead, ValuesOfEveryLength) {
  for (size_t size = 0; size < 70; ++size) {
    for (const char* rest : {"", "X: y\r\n", "Some-Other-Field: with a value\r\n"}) {
      const std::string value(size, 'v');
      const Request parsed = accept_lines("Foo: " + value + "\r\n" + rest);
      EXPECT_EQ(parsed.head->fields.begin()[1].value, value);
      EXPECT_EQ(accept_lines(value + "n: x\r\n" + rest).head->fields.begin()[1].name, value + "n");
    }
  }
}

TEST(RequestHead, AcceptsEveryByteThatIsAllowed) {
  std::string token, value, target;
  for (int c = 1; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (is_class(byte, kTokenChar)) token += byte;
    if (is_class(byte, kValueChar)) value += byte;
    if (is_class(byte, kTargetChar)) target += byte;
  }
  EXPECT_EQ(token.size(), 77u);
  EXPECT_EQ(value.size(), 95u + 1 + 128);
  EXPECT_EQ(target.size(), 93u);
  const Request parsed =
      accept_lines(token + ": x" + value + "x\r\n", "GET /" + target + " HTTP/1.1");
  EXPECT_EQ(parsed.head->path, "/" + target);
  EXPECT_EQ(parsed.head->fields.begin()[1].name, token);
  EXPECT_EQ(parsed.head->fields.begin()[1].value, "x" + value + "x");
}

}  // namespace
}  // namespace berth::http
