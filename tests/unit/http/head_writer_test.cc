#include "proxy/http/head_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/http/parse_every_way.h"

namespace berth::http {
namespace {

// Runs `write` with every capacity from 0 to more than enough: all or nothing, and never past the
// end (which is the end of the allocation).
template <class Write>
std::string written(Write&& write) {
  char ample[4096];
  HeadWriter writer(ample, sizeof ample);
  write(writer);
  EXPECT_FALSE(writer.overflowed());
  std::string text(writer.text());
  for (size_t capacity = 0; capacity <= text.size(); ++capacity) {
    const auto memory = std::make_unique_for_overwrite<char[]>(capacity);
    HeadWriter small(memory.get(), capacity);
    write(small);
    EXPECT_EQ(small.overflowed(), capacity < text.size()) << capacity;
    EXPECT_LE(small.size(), capacity);
    // What was written before it overflowed is a prefix: nothing short slipped in behind.
    EXPECT_EQ(small.text(), text.substr(0, small.size()));
  }
  return text;
}

TEST(HeadWriter, WritesARequest) {
  EXPECT_EQ(written([](HeadWriter& w) {
              w.request_line("GET", "/a?b");
              w.field("Host", "example.test");
              w.field("Content-Length", uint64_t{42});
              w.field("Empty", "");
              w.finish();
            }),
            "GET /a?b HTTP/1.1\r\nHost: example.test\r\nContent-Length: 42\r\nEmpty: \r\n\r\n");
}

TEST(HeadWriter, WritesStatusLines) {
  const auto line = [](uint16_t status, std::string_view reason) {
    return written([&](HeadWriter& w) { w.status_line(status, reason); });
  };
  EXPECT_EQ(line(200, ""), "HTTP/1.1 200 \r\n");
  EXPECT_EQ(line(404, "Nope"), "HTTP/1.1 404 Nope\r\n");
  EXPECT_EQ(line(999, "x"), "HTTP/1.1 999 x\r\n");
  EXPECT_EQ(reason_phrase(103), "Early Hints");
  EXPECT_EQ(reason_phrase(599), "Unknown");
  EXPECT_EQ(reason_phrase(999), "Unknown");
}

TEST(HeadWriter, WritesNumbers) {
  const auto number = [](uint64_t value) {
    return written([&](HeadWriter& w) { w.append_number(value); });
  };
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(9), "9");
  EXPECT_EQ(number(10), "10");
  EXPECT_EQ(number(1234567890123456789), "1234567890123456789");
  EXPECT_EQ(number(UINT64_MAX), "18446744073709551615");
}

TEST(HeadWriter, CopiesTextOfEveryLength) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>('!' + i % 90);
  for (size_t n = 0; n <= text.size(); ++n) {
    const auto exact = std::make_unique_for_overwrite<char[]>(n);
    std::copy_n(text.begin(), n, exact.get());
    EXPECT_EQ(written([&](HeadWriter& w) { w.append({exact.get(), n}); }), text.substr(0, n));
  }
}

TEST(HeadWriter, ForwardsFields) {
  const auto parsed = parse_at_once<RequestHead>(
      "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nConnection: close\r\nB: 2\r\nC:3\r\nD: 4 \r\nE: 5\r\n"
      "F: 6\r\nKeep-Alive: x\r\nG: \r\nH:\r\n\r\n");
  ASSERT_EQ(parsed.outcome.status, ParseStatus::Complete);
  const auto forwarded = [&](auto keep) {
    return written([&](HeadWriter& w) { w.fields(parsed.head->fields, keep); });
  };
  EXPECT_EQ(forwarded([](const HeaderField& f) { return !f.hop_by_hop; }),
            "Host: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\nG: \r\nH: \r\n");
  EXPECT_EQ(forwarded([](const HeaderField& f) { return f.id == HeaderId::Connection; }),
            "Connection: close\r\n");
  EXPECT_EQ(forwarded([](const HeaderField&) { return false; }), "");
}

TEST(HeadWriter, ForwardsFieldsThatWereChanged) {
  auto parsed = parse_at_once<RequestHead>("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n");
  HeaderField& field = parsed.head->fields.begin()[1];
  field.value = "other";
  field.line_size = 0;
  EXPECT_EQ(written([&](HeadWriter& w) {
              w.fields(parsed.head->fields, [](const HeaderField&) { return true; });
            }),
            "Host: a\r\nA: other\r\nB: 2\r\n");
}

TEST(ReasonPhrase, KnowsTheRegistry) {
  EXPECT_EQ(reason_phrase(100), "Continue");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(511), "Network Authentication Required");
  EXPECT_EQ(reason_phrase(418), "Unknown");
  EXPECT_EQ(reason_phrase(0), "Unknown");
  EXPECT_EQ(reason_phrase(512), "Unknown");
  EXPECT_EQ(reason_phrase(65535), "Unknown");
}

}  // namespace
}  // namespace berth::http
