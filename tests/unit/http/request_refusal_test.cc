// Request heads that are refused, and why.
#include <gtest/gtest.h>

#include "tests/unit/http/parse_every_way.h"

namespace berth::http {
namespace {

using enum CloseReason;

struct Case {
  std::string bytes;
  CloseReason reason;
};

void expect_refused(const Case& c, const HeadLimits& limits = {}) {
  const auto parsed = parse_every_way<RequestHead>(c.bytes, limits);
  EXPECT_EQ(parsed.outcome.status, ParseStatus::Refused) << printable(c.bytes);
  EXPECT_EQ(info(parsed.outcome.refusal).label, info(c.reason).label) << printable(c.bytes);
}

// "GET / HTTP/1.1", Host and these lines: at the end of the head, and where there is more behind
// them.
void expect_lines_refused(const Case& c) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + c.bytes;
  expect_refused({head + "\r\n", c.reason});
  expect_refused({head + "Another: field, longer than a block of the scanner\r\n\r\n", c.reason});
}

std::string bytes_of(const char* text, size_t size) {
  return {text, size};
}

TEST(RequestRefusal, StartLine) {
  const Case cases[] = {
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BadRequestLine},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BareLineEnd},
      {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", BareLineEnd},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
      {"\tGET / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
      {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
      {"GET: / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
      {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03", BadMethod},
      {std::string(33, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
      {bytes_of("G\0T / HTTP/1.1\r\n", 16), BadMethod},
      {"GET\r\n", BadRequestLine},
      {"GET\n", BareLineEnd},
      {"GET\rX", BareLineEnd},
      {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
      {"GET /\r\n", BadRequestLine},
      {"GET /\n", BareLineEnd},
      {"GET /\rHTTP/1.1\r\n", BareLineEnd},
      {"GET / \r\n", BadRequestLine},
      {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", BareLineEnd},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", BareLineEnd},
      {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BareLineEnd},
      {"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/11\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/1\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/2\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/1,1\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / HTTP/\r\nHost: a\r\n\r\n", BadRequestLine},
      {"GET / index HTTP/1.1\r\nHost: a\r\n\r\n", BadRequestLine},
  };
  for (const Case& c : cases) expect_refused(c);
}

TEST(RequestRefusal, Version) {
  for (const char* version : {"0.9", "2.0", "2.1", "3.0", "0.0", "0.1", "9.9"}) {
    const std::string end = std::string(" HTTP/") + version + "\r\nHost: a\r\n\r\n";
    expect_refused({"GET /" + end, BadVersion});
  }
  expect_refused({"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BadVersion});
}

TEST(RequestRefusal, Method) {
  expect_refused({"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", MethodNotAllowed});
  expect_refused({"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", MethodNotAllowed});
  expect_refused({"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", MethodNotAllowed});
}

TEST(RequestRefusal, Target) {
  for (const char* target : {"a",
                             "index.html",
                             "?a",
                             "*",
                             "**",
                             "/a#b",
                             "#",
                             "a.test:80",
                             "http:/a",
                             "http://",
                             "http:///x",
                             "https://",
                             "https:///",
                             "ftp://a/",
                             "ws://a/",
                             "http:a",
                             "://a/",
                             "//",
                             "http://u@a/",
                             "http://u:p@a/",
                             "http://?x",
                             "http://a:b/",
                             "http://:/",
                             "http://:80/",
                             "http://a::/",
                             "http://a,b/",
                             "http://a%41/",
                             "http://[::1/",
                             "http://a\\b/",
                             "h\x80ttp://a/",
                             "/\x80",
                             "/\xc3\xa9",
                             "/\x7f",
                             "/\x01",
                             "/a\vb",
                             "/a\fb"}) {
    if (std::string_view(target) == "//") continue;  // origin-form
    expect_refused({std::string("GET ") + target + " HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget});
  }
  expect_refused({bytes_of("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28), BadTarget});
  expect_refused({"OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget});
}

TEST(RequestRefusal, Host) {
  const Case cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", BadHost},
      {"GET / HTTP/1.0\r\nHost:\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n", BadHost},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", BadHost},
      {"GET http://a/ HTTP/1.1\r\n\r\n", BadHost},
      {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: :\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: a::\r\n\r\n", BadHost},
      {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", BadHost},
      {"GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n", BadHost},
      {"GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", BadHost},
      {"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", BadHost},
      {"GET http://a./ HTTP/1.1\r\nHost: a\r\n\r\n", BadHost},
      {"GET http://[::1]/ HTTP/1.1\r\nHost: [::2]:80\r\n\r\n", BadHost},
      {"GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n", BadHost},
  };
  for (const Case& c : cases) expect_refused(c);
}

TEST(RequestRefusal, FieldLines) {
  const Case cases[] = {
      {"Foo : bar\r\n", BadHeaderName},
      {"Foo\t: bar\r\n", BadHeaderName},
      {": bar\r\n", BadHeaderName},
      {"Foo\r\n", BadHeaderName},
      {"Foo bar\r\n", BadHeaderName},
      {"F\xc3\xb6o: bar\r\n", BadHeaderName},
      {"Foo@: bar\r\n", BadHeaderName},
      {"Foo(): bar\r\n", BadHeaderName},
      {"\"Foo\": bar\r\n", BadHeaderName},
      {"Foo[]: bar\r\n", BadHeaderName},
      {"\x7f: bar\r\n", BadHeaderName},
      {bytes_of("F\0o: bar\r\n", 10), BadHeaderName},
      {"Foo\rBar: x\r\n", BareLineEnd},
      {"Foo\nBar: x\r\n", BareLineEnd},
      {"\nFoo: x\r\n", BareLineEnd},
      {"\rFoo: x\r\n", BareLineEnd},
      {"Foo: bar\nBar: x\r\n", BareLineEnd},
      {"Foo: bar\rBar: x\r\n", BareLineEnd},
      {"Foo: bar\r\r\n", BareLineEnd},
      {"Foo: bar\n", BareLineEnd},
      {"Foo:\n", BareLineEnd},
      {" folded: x\r\n", ObsFold},
      {"\tfolded: x\r\n", ObsFold},
      {"Foo: bar\r\n baz\r\n", ObsFold},
      {"Foo: bar\r\n\tbaz\r\n", ObsFold},
      {"Foo: bar\r\n \r\n", ObsFold},
  };
  for (const Case& c : cases) expect_lines_refused(c);
  expect_refused({"GET / HTTP/1.1\r\n Host: a\r\n\r\n", ObsFold});
  expect_refused({"GET / HTTP/1.1\r\nHost: a\n\n", BareLineEnd});
  expect_refused({"GET / HTTP/1.1\r\nHost: a\r\n\n", BareLineEnd});
  expect_refused({"GET / HTTP/1.1\r\nHost: a\n\r\n", BareLineEnd});
}

// Near the start, in the middle and at the end of a word of the scanners, and behind a tab.
TEST(RequestRefusal, ControlBytesInValues) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (is_class(byte, kValueChar) || byte == '\r' || byte == '\n') continue;
    for (const size_t at : {0u, 1u, 7u, 8u, 15u, 16u, 17u, 33u, 40u}) {
      std::string value(41, 'v');
      if (at > 0) value[at - 1] = '\t';
      value[at] = byte;
      expect_lines_refused({"Foo: " + value + "\r\n", BadHeaderValue});
    }
  }
}

TEST(RequestRefusal, BytesThatAreNoToken) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (is_class(byte, kTokenChar) || byte == '\r' || byte == '\n' || byte == ':') continue;
    for (const size_t at : {1u, 7u, 15u, 16u, 20u}) {
      std::string name(21, 'n');
      name[at] = byte;
      expect_lines_refused({name + ": v\r\n", BadHeaderName});
    }
    expect_refused({std::string("GET") + byte + "X / HTTP/1.1\r\nHost: a\r\n\r\n",
                    byte == ' ' ? BadRequestLine : BadMethod});
  }
}

TEST(RequestRefusal, BytesThatAreNoTarget) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (is_class(byte, kTargetChar) || byte == '\r' || byte == '\n' || byte == ' ') continue;
    for (const size_t at : {1u, 7u, 8u, 15u, 16u, 20u}) {
      std::string target(21, '/');
      target[at] = byte;
      expect_refused({"GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget});
    }
  }
}

TEST(RequestRefusal, ContentLength) {
  for (const char* value :
       {"", "+5", "-5", "5,5", "5, 5", "5 5", "0x5", "5a", "a", "5.0", "\"5\"", "5;", "\xb2",
        "9223372036854775808", "18446744073709551616", "18446744073709551621",
        "00000000000000000005", "99999999999999999999999999"}) {
    expect_lines_refused({std::string("Content-Length: ") + value + "\r\n", BadContentLength});
  }
  expect_lines_refused({"Content-Length: 5\r\nContent-Length: 5\r\n", BadContentLength});
  expect_lines_refused({"Content-Length: 5\r\nX: y\r\ncontent-length: 6\r\n", BadContentLength});
  expect_lines_refused({"Content-Length: \r\nContent-Length: 5\r\n", BadContentLength});
}

TEST(RequestRefusal, TransferEncoding) {
  for (const char* value :
       {"", "identity", "gzip", "chunked, gzip", "gzip,, chunked", "gzip;q=1, chunked",
        "gzip chunked", "chunked, chunked", "chunked,", ",chunked", "chunked;q=1", "chunked ;a=b",
        "xchunked", "chunkedx", "\"chunked\"", "chun ked", "\vchunked"}) {
    const CloseReason reason = value[0] == '\v' ? BadHeaderValue : BadTransferEncoding;
    expect_lines_refused({std::string("Transfer-Encoding: ") + value + "\r\n", reason});
  }
  expect_lines_refused(
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", BadTransferEncoding});
  expect_lines_refused(
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", BadTransferEncoding});
  expect_lines_refused(
      {"Transfer-Encoding: gzip, chunked\r\nTransfer-Encoding: chunked\r\n", BadTransferEncoding});
  expect_lines_refused(
      {"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", BadTransferEncoding});
  // Well framed, and not decoded here (RFC 9112 section 6.1).
  for (const char* value : {"gzip, chunked", "gzip,deflate\t, Chunked", "identity, chunked"}) {
    expect_lines_refused(
        {std::string("Transfer-Encoding: ") + value + "\r\n", UnknownTransferCoding});
  }
  expect_lines_refused(
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", UnknownTransferCoding});
  expect_refused(
      {"POST / HTTP/1.0\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", BadTransferEncoding});
  expect_refused({"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", BadTransferEncoding});
}

TEST(RequestRefusal, LengthWithChunked) {
  expect_lines_refused({"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", LengthAndChunked});
  expect_lines_refused({"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", LengthAndChunked});
  expect_lines_refused({"Transfer-Encoding: x\r\nContent-Length: y\r\n", LengthAndChunked});
}

TEST(RequestRefusal, Expectation) {
  for (const char* value : {"", "100", "101-continue", "100-continue, x", "100-continue;a=b"}) {
    expect_lines_refused({std::string("Expect: ") + value + "\r\n", BadExpect});
  }
  expect_lines_refused({"Expect: 100-continue\r\nExpect: 100-continue\r\n", BadExpect});
}

TEST(RequestRefusal, UpgradeWithBody) {
  const std::string upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  expect_lines_refused({upgrade + "Content-Length: 1\r\n", BadUpgrade});
  expect_lines_refused({upgrade + "Transfer-Encoding: chunked\r\n", BadUpgrade});
}

TEST(RequestRefusal, ConnectionWithTooManyOptions) {
  std::string options = "Connection: a";
  for (int i = 1; i < 32; ++i) options += ",b";
  const auto fits =
      parse_every_way<RequestHead>("GET / HTTP/1.1\r\nHost: a\r\n" + options + "\r\n\r\n");
  EXPECT_EQ(fits.outcome.status, ParseStatus::Complete);
  expect_lines_refused({options + ",c\r\n", BadHeaderValue});
  expect_lines_refused({options + "\r\nConnection: c\r\n", BadHeaderValue});
}

TEST(RequestRefusal, TooManyHeaders) {
  std::string many;
  for (size_t i = 0; i < HeaderList::kUsual; ++i) many += "x: y\r\n";
  expect_lines_refused({many, TooManyHeaders});
  // Syntax comes first, wherever it is: so it does not matter in which pieces the head came.
  expect_lines_refused({many + "bad line\r\n", BadHeaderName});
}

TEST(RequestRefusal, HeadTooLarge) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nFoo: bar\r\n\r\n";
  for (size_t max = 1; max < head.size(); ++max) {
    expect_refused({head, HeadTooLarge}, {.max_head = max, .max_target = 8192});
    expect_refused({head.substr(0, max), HeadTooLarge}, {.max_head = max, .max_target = 8192});
  }
  expect_refused({"GET / HTTP/1.1\r\nHost: a\r\nFoo: " + std::string(40000, 'x'), HeadTooLarge});
  // What is wrong within the limit is found first; what is beyond is not looked at.
  expect_refused({"GET / HTTP/1.1\r\nHost: a\r\nF(o: bar\r\n\r\n", BadHeaderName},
                 {.max_head = 28, .max_target = 8192});
  expect_refused({"GET / HTTP/1.1\r\nHost: a\r\nF(o: bar\r\n\r\n", HeadTooLarge},
                 {.max_head = 26, .max_target = 8192});
}

TEST(RequestRefusal, TargetTooLong) {
  const HeadLimits limits{.max_head = 1000, .max_target = 10};
  const std::string end = " HTTP/1.1\r\nHost: a\r\n\r\n";
  expect_refused({"GET /1234567890" + end, TargetTooLong}, limits);
  expect_refused({"GET /1234567890", TargetTooLong}, limits);
  expect_refused({"GET /" + std::string(2000, 'x'), TargetTooLong}, limits);
  expect_refused({"GET /123456789#" + end, BadTarget}, limits);
  expect_refused({"GET /1234567890#" + end, TargetTooLong}, limits);
  expect_refused({"GET /1234567890 HTTP/3.0\r\n", TargetTooLong}, limits);
}

// A target that goes on and on is refused before max_head is reached, in pieces too.
TEST(RequestRefusal, EndlessTargetIsRefusedEarly) {
  const std::string bytes = "GET /" + std::string(30000, 'x');
  std::vector<size_t> ends;
  for (size_t end = 10; end < 9000; end += 10) ends.push_back(end);
  const auto parsed = parse_in_pieces<RequestHead>(bytes, ends);
  EXPECT_EQ(parsed.outcome.status, ParseStatus::Refused);
  EXPECT_EQ(parsed.outcome.refusal, TargetTooLong);
}

// In pieces, a bad line is refused when it ends: the rest of the head need not come.
TEST(RequestRefusal, BadLineIsRefusedWhenItEnds) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n";
  std::vector<size_t> ends;
  for (size_t end = 1; end <= bytes.size(); ++end) ends.push_back(end);
  const auto parsed = parse_in_pieces<RequestHead>(bytes, ends);
  EXPECT_EQ(parsed.outcome.status, ParseStatus::Refused);
  EXPECT_EQ(parsed.outcome.refusal, BadHeaderName);
}

}  // namespace
}  // namespace berth::http
