// Response heads: what they mean, and which are refused.
#include <gtest/gtest.h>

#include "proxy/http/body.h"
#include "proxy/http/head_writer.h"
#include "proxy/http/malformed.h"
#include "tests/unit/http/parse_every_way.h"

namespace berth::http {
namespace {

using Response = Parsed<ResponseHead>;

Response accept(std::string_view bytes, const HeadLimits& limits = {}) {
  Response parsed = parse_every_way<ResponseHead>(bytes, limits);
  EXPECT_EQ(parsed.outcome.status, ParseStatus::Complete) << printable(bytes) << parsed.text();
  return parsed;
}

Response accept_lines(const std::string& lines, const std::string& start = "HTTP/1.1 200 OK") {
  return accept(start + "\r\n" + lines + "\r\n");
}

void expect_refused(const std::string& bytes, CloseReason reason = CloseReason::BadResponse,
                    const HeadLimits& limits = {}) {
  const Response parsed = parse_every_way<ResponseHead>(bytes, limits);
  EXPECT_EQ(parsed.outcome.status, ParseStatus::Refused) << printable(bytes);
  EXPECT_EQ(info(parsed.outcome.refusal).label, info(reason).label) << printable(bytes);
}

TEST(ResponseHead, TakesAResponseApart) {
  const std::string bytes =
      "HTTP/1.1 404 Not \t\xc3\xa9 Found\r\nServer: x\r\nContent-Length: 12\r\n"
      "Keep-Alive: timeout=5, max=100\r\nConnection: keep-alive\r\n\r\nbody";
  const Response parsed = accept(bytes);
  const ResponseHead& head = *parsed.head;
  EXPECT_EQ(parsed.outcome.head_size, bytes.size() - 4);
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not \t\xc3\xa9 Found");
  EXPECT_EQ(head.summary.content_length, 12u);
  EXPECT_EQ(head.summary.minor_version, 1);
  EXPECT_TRUE(head.summary.persistent());
  EXPECT_EQ(head.keep_alive_timeout, 5);
  EXPECT_EQ(head.keep_alive_max, 100);
  ASSERT_EQ(head.fields.size(), 4u);
  EXPECT_TRUE(head.fields.find(HeaderId::KeepAlive)->hop_by_hop);
  EXPECT_FALSE(head.fields.find(HeaderId::Server)->hop_by_hop);
}

TEST(ResponseHead, ReasonMayBeEmptyOrAbsent) {
  EXPECT_EQ(accept("HTTP/1.1 200 \r\n\r\n").head->reason, "");
  EXPECT_EQ(accept("HTTP/1.1 200\r\n\r\n").head->reason, "");
  EXPECT_EQ(accept("HTTP/1.1 200  x \r\n\r\n").head->reason, " x ");
}

TEST(ResponseHead, StatusFrom100To999) {
  EXPECT_EQ(accept("HTTP/1.1 100 Continue\r\n\r\n").head->status, 100);
  EXPECT_EQ(accept("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").head->status, 103);
  EXPECT_EQ(accept("HTTP/1.0 599 ?\r\n\r\n").head->status, 599);
  EXPECT_EQ(accept("HTTP/1.1 600 \r\n\r\n").head->status, 600);
  EXPECT_EQ(accept("HTTP/1.1 999 Request denied\r\n\r\n").head->status, 999);
}

TEST(ResponseHead, PersistenceOfHttp10) {
  EXPECT_FALSE(accept("HTTP/1.0 200 OK\r\n\r\n").head->summary.persistent());
  EXPECT_TRUE(
      accept("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").head->summary.persistent());
  EXPECT_FALSE(accept("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").head->summary.persistent());
}

TEST(ResponseHead, KeepAliveHints) {
  struct Case {
    const char* lines;
    int32_t timeout;
    int32_t max;
  };
  const Case cases[] = {
      {"", -1, -1},
      {"Keep-Alive: timeout=5\r\n", 5, -1},
      {"Keep-Alive: max=7\r\n", -1, 7},
      {"Keep-Alive: TIMEOUT = 5 ,Max\t=0\r\n", 5, 0},
      {"Keep-Alive: timeout=0\r\n", 0, -1},
      {"Keep-Alive: timeout=99999999999999999999999999\r\n", INT32_MAX, -1},
      {"Keep-Alive: timeout=2147483648\r\n", INT32_MAX, -1},
      {"Keep-Alive: timeout=-5, max=+7\r\n", -1, -1},
      {"Keep-Alive: timeout=5s, max=\r\n", -1, -1},
      {"Keep-Alive: timeout, max\r\n", -1, -1},
      {"Keep-Alive: timeout=\"5\"\r\n", -1, -1},
      {"Keep-Alive: ,,=,x=3,timeout=4,\r\n", 4, -1},
      {"Keep-Alive: timeout=9, timeout=4\r\n", 4, -1},
      {"Keep-Alive: timeout=4\r\nKeep-Alive: timeout=9, max=1\r\n", 4, 1},
      {"Keep-Alive: 300\r\n", -1, -1},
  };
  for (const Case& c : cases) {
    const Response parsed = accept_lines(c.lines);
    EXPECT_EQ(parsed.head->keep_alive_timeout, c.timeout) << c.lines;
    EXPECT_EQ(parsed.head->keep_alive_max, c.max) << c.lines;
  }
}

TEST(ResponseHead, Upgrade) {
  const std::string lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  EXPECT_TRUE(accept_lines(lines, "HTTP/1.1 101 Switching Protocols").head->summary.upgrade);
  EXPECT_FALSE(accept_lines("Upgrade: websocket\r\n").head->summary.upgrade);
}

TEST(ResponseHead, LengthIsNotForwardedWhereThereIsNoBody) {
  for (const char* status : {"100", "103", "204"}) {
    const Response parsed =
        accept_lines("Content-Length: 0\r\n", std::string("HTTP/1.1 ") + status + " x");
    EXPECT_TRUE(parsed.head->fields.begin()->hop_by_hop) << status;
  }
  for (const char* status : {"200", "304"}) {
    const Response parsed =
        accept_lines("Content-Length: 0\r\n", std::string("HTTP/1.1 ") + status + " x");
    EXPECT_FALSE(parsed.head->fields.begin()->hop_by_hop) << status;
  }
}

TEST(ResponseHead, ConnectionNamesMoreHopByHopFields) {
  const Response parsed = accept_lines(
      "X-One: 1\r\nSet-Cookie: a\r\nConnection: x-one, set-cookie, content-type\r\n"
      "Content-Type: a\r\nContent-Length: 0\r\n");
  std::string marked;
  for (const HeaderField& f : parsed.head->fields) {
    if (f.hop_by_hop) marked += " " + std::string(f.name);
  }
  EXPECT_EQ(marked, " X-One Connection");
}

std::string forwarded(const Response& parsed) {
  std::string out(size_t{16} * 1024, ' ');
  HeadWriter writer(out.data(), out.size());
  writer.fields(parsed.head->fields, [](const HeaderField& f) { return !f.hop_by_hop; });
  return std::string(writer.text());
}

// RFC 9112 section 6.3: what says the same twice is said once.
TEST(ResponseHead, LengthsThatRepeatThemselvesAreOne) {
  for (const char* lines :
       {"Content-Length: 5\r\nX: y\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\nX: y\r\n",
        "Content-Length: 5 ,5\t, 5\r\nX: y\r\n",
        "Content-Length: 5\r\nX: y\r\ncontent-length: 5, 5\r\n"}) {
    const Response parsed = accept_lines(lines);
    EXPECT_EQ(parsed.head->summary.content_length, 5u);
    EXPECT_EQ(forwarded(parsed), "Content-Length: 5\r\nX: y\r\n");
    EXPECT_FALSE(parsed.head->summary.ambiguous_length);
  }
}

TEST(ResponseHead, ChunkedDecidesOverLength) {
  for (const char* lines : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX: y\r\n",
                            "Transfer-Encoding: chunked\r\nContent-Length: x\r\nX: y\r\n",
                            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\nX: y\r\n"
                            "Content-Length: 2\r\n"}) {
    const Response parsed = accept_lines(lines);
    EXPECT_TRUE(parsed.head->summary.chunked);
    EXPECT_FALSE(parsed.head->summary.has_length());
    EXPECT_TRUE(parsed.head->summary.ambiguous_length);
    EXPECT_EQ(forwarded(parsed), "X: y\r\n");
  }
}

TEST(ResponseHead, SkipsSomeEmptyLines) {
  for (const size_t lines : {1u, 2u, 4u}) {
    std::string bytes;
    for (size_t i = 0; i < lines; ++i) bytes += "\r\n";
    bytes += "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n";
    const Response parsed = accept(bytes);
    EXPECT_EQ(parsed.head->status, 204);
    EXPECT_EQ(parsed.outcome.head_size, bytes.size());
  }
}

TEST(ResponseHead, MoreFieldsThanUsual) {
  std::string bytes = "HTTP/1.1 200 OK\r\n";
  for (size_t i = 0; i < 300; ++i) bytes += "Set-Cookie: a=" + std::to_string(i) + "\r\n";
  bytes += "\r\n";
  const Response parsed = accept(bytes, {.max_fields = 300});
  ASSERT_EQ(parsed.head->fields.size(), 300u);
  EXPECT_EQ((parsed.head->fields.end() - 1)->value, "a=299");
  EXPECT_EQ("HTTP/1.1 200 OK\r\n" + forwarded(parsed) + "\r\n", bytes);
  expect_refused(bytes, CloseReason::ResponseTooManyFields, {.max_fields = 299});
}

TEST(ResponseHead, SaysWhatIsWrongAndWhere) {
  const struct {
    const char* bytes;
    const char* text;
  } kTable[] = {
      {"SSH-2.0-OpenSSH\r\n", "malformed status line"},
      {"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: b\x01\r\n\r\n", "control byte in X-B"},
      {"HTTP/1.1 200 OK\r\nX-A: 1\r\nX B: b\r\n\r\n", "malformed field name in line 3"},
      {"HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n", "malformed field name in line 2"},
      {"HTTP/1.1 200 OK\r\nX-A: 1\nX-B: 2\r\n\r\n", "bare CR or LF in X-A"},
      {"HTTP/1.1 200 OK\r\nX-A: 1\r\n more\r\n\r\n", "folded line in X-A"},
      {"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n", "Content-Length is not one number"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "Transfer-Encoding is not chunked"},
  };
  for (const auto& row : kTable) {
    const std::string_view bytes = row.bytes;
    HeadProgress progress;
    ResponseHead head;
    const ParseOutcome whole = HeadParser::parse(bytes, {}, progress, head);
    ASSERT_EQ(whole.status, ParseStatus::Refused) << printable(bytes);
    EXPECT_EQ(describe_refusal(bytes, whole), row.text);
    // In pieces as well.
    ParseOutcome outcome;
    for (size_t n = 1; n <= bytes.size() && outcome.status != ParseStatus::Refused; ++n) {
      outcome = HeadParser::parse(bytes.substr(0, n), {}, progress, head);
      if (outcome.status != ParseStatus::Refused) continue;
      EXPECT_EQ(describe_refusal(bytes.substr(0, n), outcome), row.text);
    }
    EXPECT_EQ(outcome.status, ParseStatus::Refused);
  }
}

TEST(ResponseHead, RefusesBadStatusLines) {
  for (const char* line :
       {"HTTP/1.1 20 OK",   "HTTP/1.1 2000 OK",    "HTTP/1.1 099 x",      "HTTP/1.1 000 x",
        "HTTP/1.1 -20 x",   "HTTP/1.1 2x0 x",      "HTTP/1.1 20x x",      "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK", "HTTP/1.1 200OK",      "HTTP/1.1 200\tOK",    "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",  "HTTP/1.x 200 OK",     "http/1.1 200 OK",     "HTTP/11 200 OK",
        " HTTP/1.1 200 OK", "HTTP/1.1 200 O\x01K", "HTTP/1.1 200 O\x7fK", "ICY 200 OK",
        "<html>",           "HTTP/1.1 OK",         "HTTP/1.1 200 O\rK",   "HTTP/1.1 200 OK\r"}) {
    expect_refused(std::string(line) + "\r\n\r\n");
  }
  expect_refused("HTTP/1.1 200 OK\nServer: x\n\n");
  expect_refused("HTTP/1.1 200 OK\x01\nServer: x\r\n\r\n");
  expect_refused("HTTP/1.1 200 OK\n\nServer: x\r\n\r\n");
  expect_refused("HTTP/1.1 200\nServer: x\r\n\r\n");
  expect_refused("\r\n\r\n\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  expect_refused("\nHTTP/1.1 200 OK\r\n\r\n");
  expect_refused("\rHTTP/1.1 200 OK\r\n\r\n");
  expect_refused("\r\n\rHTTP/1.1 200 OK\r\n\r\n");
}

TEST(ResponseHead, RefusesBadFields) {
  for (const char* line : {"Foo : bar",
                           "Foo",
                           ": x",
                           " Foo: bar",
                           "Foo: bar\r\n baz",
                           "Foo: b\x01r",
                           "Foo: b\rr",
                           "Foo: b\nr",
                           "F(o: x",
                           "Content-Length: x",
                           "Content-Length: +5",
                           "Content-Length:",
                           "Content-Length: 5, 6",
                           "Content-Length: 5,",
                           "Content-Length: ,5",
                           "Content-Length: 5, 5\r\nContent-Length: 6",
                           "Content-Length: 5\r\nContent-Length:",
                           "Content-Length: 5\r\nContent-Length: 6",
                           "Content-Length: 9223372036854775808",
                           "Content-Length: 5\r\nTransfer-Encoding: gzip",
                           "Transfer-Encoding: gzip",
                           "Transfer-Encoding: gzip, chunked",
                           "Transfer-Encoding: chunked, chunked",
                           "Transfer-Encoding: identity",
                           "Transfer-Encoding:",
                           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"}) {
    expect_refused("HTTP/1.1 200 OK\r\n" + std::string(line) + "\r\n\r\n");
  }
  expect_refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(ResponseHead, RefusesWhatIsTooLarge) {
  const std::string head = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
  accept(head, {.max_head = head.size(), .max_target = 1});
  expect_refused(head, CloseReason::ResponseHeadTooLarge,
                 {.max_head = head.size() - 1, .max_target = 1});
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (size_t i = 0; i <= HeadLimits{}.max_fields; ++i) many += "x: y\r\n";
  expect_refused(many + "\r\n", CloseReason::ResponseTooManyFields);
}

TEST(ResponseHead, WantsMoreUntilTheEmptyLine) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_at_once<ResponseHead>(bytes.substr(0, size)).outcome.status,
              ParseStatus::Incomplete);
  }
}

BodyFraming framing(const std::string& head, Method method = Method::Get) {
  return response_framing(*accept(head).head, method);
}

TEST(ResponseFraming, FollowsRfc9112) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string length = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
  EXPECT_EQ(framing(chunked).kind, BodyKind::Chunked);
  EXPECT_EQ(framing(length).kind, BodyKind::Length);
  EXPECT_EQ(framing(length).length, 7u);
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").kind, BodyKind::None);
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\n\r\n").kind, BodyKind::UntilClose);
  EXPECT_EQ(framing("HTTP/1.0 200 OK\r\n\r\n").kind, BodyKind::UntilClose);
  for (const std::string& head : {chunked, length}) {
    EXPECT_EQ(framing(head, Method::Head).kind, BodyKind::None);
  }
  for (const char* status : {"100", "101", "103", "204", "304"}) {
    for (const char* field : {"", "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n"}) {
      const std::string head = std::string("HTTP/1.1 ") + status + " x\r\n" + field + "\r\n";
      EXPECT_EQ(framing(head).kind, BodyKind::None) << head;
    }
  }
  EXPECT_EQ(framing("HTTP/1.1 205 x\r\nContent-Length: 7\r\n\r\n").kind, BodyKind::Length);
}

TEST(RequestFraming, FollowsRfc9112) {
  const auto framing = [](const std::string& lines) {
    return request_framing(
        *parse_every_way<RequestHead>("POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n").head);
  };
  EXPECT_EQ(framing("").kind, BodyKind::None);
  EXPECT_EQ(framing("Content-Length: 0\r\n").kind, BodyKind::None);
  EXPECT_EQ(framing("Content-Length: 7\r\n").kind, BodyKind::Length);
  EXPECT_EQ(framing("Content-Length: 7\r\n").length, 7u);
  EXPECT_EQ(framing("Transfer-Encoding: chunked\r\n").kind, BodyKind::Chunked);
}

}  // namespace
}  // namespace berth::http
