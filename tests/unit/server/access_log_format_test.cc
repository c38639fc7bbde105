#include "proxy/server/access_log_format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proxy/server/access_log_text.h"
#include "tests/unit/server/access_log_example.h"

namespace berth::server {
namespace {

using namespace std::chrono_literals;
using exchange::AccessRecord;
using Json = nlohmann::json;

std::string json_line(const AccessRecord& record) {
  std::string out(kMaxAccessLine, '\0');
  AccessTime time;
  out.resize(write_json_line(out.data(), record, time));
  return out;
}

std::string combined_line(const AccessRecord& record) {
  std::string out(kMaxAccessLine, '\0');
  AccessTime time;
  out.resize(write_combined_line(out.data(), record, time));
  return out;
}

// --- JSON ---

TEST(AccessLogFormatTest, JsonLineWhole) {
  EXPECT_EQ(json_line(example_record()),
            "{\"time\":\"2026-09-21T14:13:20.001234Z\",\"listener\":\"0.0.0.0:8080\",\"client\":"
            "\"192.0.2.7:51234\","
            "\"method\":\"GET\",\"host\":\"example.com\",\"target\":\"/a/"
            "b?c=d\",\"protocol\":\"HTTP/1.1\","
            "\"status\":200,\"received_bytes\":321,\"request_body_bytes\":0,\"sent_bytes\":65700,"
            "\"body_bytes\":65536,"
            "\"duration\":0.001234,"
            "\"upstream\":\"app\",\"server\":\"127.0.0.1:3000\",\"attempts\":2,\"source\":"
            "\"queue\",\"reused\":true,"
            "\"queue_wait\":2.000000,\"connect_time\":0.000250,\"header_time\":0.001000,"
            "\"user_agent\":\"curl/8\",\"referer\":\"https://example.com/"
            "\",\"request_id\":\"0123abcd\"}\n");
}

TEST(AccessLogFormatTest, JsonLeavesOutWhatDoesNotApply) {
  AccessRecord record;
  record.status = 400;
  record.reason = CloseReason::BadHost;
  const Json line = Json::parse(json_line(record));
  EXPECT_EQ(line["reason"], "bad_host");
  EXPECT_EQ(line["reason_text"], info(CloseReason::BadHost).text);
  EXPECT_EQ(line["time"], "1970-01-01T00:00:00.000000Z");
  for (const char* absent : {"upstream", "server", "attempts", "source", "reused", "queue_wait",
                             "connect_time", "header_time", "user_agent", "referer", "request_id",
                             "connection", "connection_requests", "tls_version", "tls_resumed",
                             "server_connection", "server_tls_version", "failed_attempts"}) {
    EXPECT_FALSE(line.contains(absent)) << absent;
  }
  EXPECT_FALSE(Json::parse(json_line(example_record())).contains("reason"));
}

std::string json_text(std::string_view text) {
  std::string out(text.size() * 6 + 1, '\0');
  out.resize(static_cast<size_t>(put_json_text(out.data(), text) - out.data()));
  return out;
}

// Every byte, at every place of texts of every length around the sizes that are copied at once.
TEST(AccessLogFormatTest, EveryByteAtEveryPlaceComesBack) {
  for (size_t size = 1; size <= 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 0x80; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        const std::string escaped = json_text(text);
        ASSERT_EQ(Json::parse('"' + escaped + '"').get<std::string>(), text)
            << size << " " << at << " " << byte;
        const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
        ASSERT_TRUE(!plain || escaped == text);
      }
    }
  }
}

TEST(AccessLogFormatTest, TextIsNotWrittenBeyondItsEnd) {
  for (size_t size = 0; size <= 40; ++size) {
    std::string out(64, '!');
    put_json_text(out.data(), std::string(size, 'x'));
    EXPECT_EQ(out, std::string(size, 'x') + std::string(64 - size, '!'));
  }
}

TEST(AccessLogFormatTest, ControlBytesHaveTheirShortForms) {
  EXPECT_EQ(json_text("\b\f\n\r\t\x01\x1f\x7f"), "\\b\\f\\n\\r\\t\\u0001\\u001f\x7f");
  EXPECT_EQ(json_text("a\"b\\c"), "a\\\"b\\\\c");
}

TEST(AccessLogFormatTest, ValidUtf8StaysAndInvalidBytesAreReplaced) {
  const std::string bad = "\\ufffd";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"\xe2\x82\xac", "\xe2\x82\xac"},
      {"\xf0\x9f\x9a\xa2", "\xf0\x9f\x9a\xa2"},
      {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},  // U+10FFFF
      {"\xed\x9f\xbf", "\xed\x9f\xbf"},          // the last before the surrogates
      {"\xff", bad},
      {"a\x80z", "a" + bad + "z"},  // a continuation alone
      {"\xc3", bad},                // cut off
      {"\xe2\x82", bad + bad},
      {"\xe2\x82z", bad + bad + "z"},
      {"\xc0\xaf", bad + bad},  // overlong
      {"\xe0\x9f\xbf", bad + bad + bad},
      {"\xf0\x8f\xbf\xbf", bad + bad + bad + bad},
      {"\xed\xa0\x80", bad + bad + bad},            // a surrogate
      {"\xf4\x90\x80\x80", bad + bad + bad + bad},  // beyond U+10FFFF
      {"\xf5\x80\x80\x80", bad + bad + bad + bad},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(json_text(text), expected);
    EXPECT_NO_THROW(Json::parse('"' + json_text(text + "\n") + '"'));
  }
}

TEST(AccessLogFormatTest, LongTextsAreCutAndNothingGrowsBeyondTheBound) {
  const std::string worst(100'000, '\x01');
  AccessRecord record = example_record();
  for (auto text : {&AccessRecord::listener, &AccessRecord::client, &AccessRecord::method,
                    &AccessRecord::host, &AccessRecord::target, &AccessRecord::protocol,
                    &AccessRecord::upstream, &AccessRecord::server, &AccessRecord::user_agent,
                    &AccessRecord::referer, &AccessRecord::request_id}) {
    record.*text = worst;
  }
  record.time_us = INT64_MAX / 2;
  record.duration =
      *(record.queue_wait = record.connect_time = record.header_time = Duration::max());
  record.received_bytes = record.sent_bytes = UINT64_MAX;
  record.attempts = UINT32_MAX;
  record.connection_requests = record.server_connection_requests = UINT32_MAX;
  record.connection = record.server_connection = {(1 << 12) - 1, (uint64_t{1} << 52) - 1};
  record.tls = record.server_tls = {"TLS_CHACHA20_POLY1305_SHA256", net::TlsTerms::Version::Tls13,
                                    net::TlsTerms::Alpn::Http1, true};
  record.tls_server_name = record.peer = record.detail = worst;
  const std::vector<exchange::FailedAttempt> failed(9,
                                                    {worst, CloseReason::ServerWantsCertificate});
  record.failed_attempts = failed;
  record.reason = CloseReason::BadTransferEncoding;
  EXPECT_EQ(access_line_bound(record), kMaxAccessLine);
  const std::string line = json_line(record);
  EXPECT_LE(line.size(), kMaxAccessLine);
  EXPECT_TRUE(Json::parse(line)["target"].get<std::string>().ends_with("..."));
  EXPECT_LE(combined_line(record).size(), kMaxAccessLine);
}

TEST(AccessLogFormatTest, BoundHoldsForShortTexts) {
  const std::string worst(9, '\x01');
  AccessRecord record = example_record();
  record.target = record.host = record.user_agent = record.referer = record.request_id = worst;
  EXPECT_LE(json_line(record).size(), access_line_bound(record));
  EXPECT_LE(access_line_bound(record), 3072u);
}

TEST(AccessLogFormatTest, TimeIsRenderedAnewWhenTheSecondChanges) {
  AccessTime time;
  EXPECT_EQ(time.iso(0), "1970-01-01T00:00:00");
  EXPECT_EQ(time.iso(86'399), "1970-01-01T23:59:59");
  EXPECT_EQ(time.iso(0), "1970-01-01T00:00:00");
  EXPECT_EQ(time.clf(1'790'000'000), "21/Sep/2026:14:13:20 +0000");
}

// --- Combined ---

TEST(AccessLogFormatTest, CombinedLineWhole) {
  EXPECT_EQ(combined_line(example_record()),
            "192.0.2.7 - - [21/Sep/2026:14:13:20 +0000] \"GET /a/b?c=d HTTP/1.1\" 200 65536 "
            "\"https://example.com/\" \"curl/8\"\n");
}

TEST(AccessLogFormatTest, CombinedShowsDashesForWhatIsAbsent) {
  EXPECT_EQ(combined_line(AccessRecord{}),
            "- - - [01/Jan/1970:00:00:00 +0000] \"- - -\" 0 0 \"-\" \"-\"\n");
}

TEST(AccessLogFormatTest, CombinedEscapesAsNginxDoes) {
  AccessRecord record = example_record();
  record.client = "[2001:db8::1]:80";
  record.user_agent = "a\"b\\c\nd\x7f\xc3\xbc";
  const std::string line = combined_line(record);
  EXPECT_TRUE(line.starts_with("2001:db8::1 - - ")) << line;
  EXPECT_TRUE(line.ends_with("\"a\\x22b\\x5Cc\\x0Ad\\x7F\\xC3\\xBC\"\n")) << line;
  record.client = "unix:";
  EXPECT_TRUE(combined_line(record).starts_with("unix: - - "));
}

TEST(AccessLogFormatTest, BehindAProxyTheClientIsNamedAndTheProxyToo) {
  AccessRecord record = example_record();
  EXPECT_FALSE(Json::parse(json_line(record)).contains("peer"));
  record.peer = record.client;
  for (const char* client : {"9.9.9.9", "2001:db8::1", "::"}) {
    record.client = client;
    const Json line = Json::parse(json_line(record));
    EXPECT_EQ(line["client"], client);
    EXPECT_EQ(line["peer"], "192.0.2.7:51234");
    EXPECT_TRUE(combined_line(record).starts_with(std::string(client) + " - - ["));
  }
}

}  // namespace
}  // namespace berth::server
