// Lines of access_log.template, and what JSON says of the same fields.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proxy/server/access_log_format.h"
#include "tests/unit/server/access_log_example.h"

namespace berth::server {
namespace {

using exchange::AccessRecord;
using exchange::FailedAttempt;
using Json = nlohmann::json;

const std::vector<FailedAttempt> kFailed = {{"10.0.0.1:3000", CloseReason::ConnectRefused},
                                            {"10.0.0.2:3000", CloseReason::ServerReset}};

// Every field has a value.
AccessRecord full() {
  AccessRecord record = example_record();
  record.client = "9.9.9.9";
  record.peer = "192.0.2.7:51234";
  record.connection = {1, 482};
  record.connection_requests = 3;
  record.tls = {"TLS_AES_128_GCM_SHA256", net::TlsTerms::Version::Tls13, net::TlsTerms::Alpn::Http2,
                true};
  record.tls_server_name = "example.com";
  record.status = 502;
  record.request_body_bytes = 100;
  record.failed_attempts = kFailed;
  record.server_connection = {0, 17};
  record.server_connection_requests = 99;
  record.server_tls = {"ECDHE-RSA-AES128-GCM-SHA256", net::TlsTerms::Version::Tls12,
                       net::TlsTerms::Alpn::None, false};
  record.reason = CloseReason::BadResponse;
  record.detail = "control byte in X-Bad";
  return record;
}

std::string line_of(const std::string& pattern, const AccessRecord& record) {
  const auto pieces = config::parse_log_template(pattern);
  EXPECT_TRUE(pieces) << pattern;
  std::string out(kMaxAccessLine, '\0');
  AccessTime time;
  out.resize(write_template_line(out.data(), record, time, *pieces));
  EXPECT_TRUE(out.ends_with('\n'));
  out.pop_back();
  return out;
}

Json json_of(const AccessRecord& record) {
  std::string out(kMaxAccessLine, '\0');
  AccessTime time;
  out.resize(write_json_line(out.data(), record, time));
  return Json::parse(out);
}

// As a template writes it.
std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& attempt : value) {
    out += (out.empty() ? "" : ", ") + attempt["server"].get<std::string>() + " " +
           attempt["reason"].get<std::string>();
  }
  return out;
}

TEST(AccessLogTemplate, EveryFieldIsInJsonUnderTheSameNameWithTheSameValue) {
  const Json json = json_of(full());
  for (const std::string_view name : config::kLogFieldNames) {
    const std::string key(name);
    ASSERT_TRUE(json.contains(key)) << key;
    const std::string written = line_of("{" + key + "}", full());
    EXPECT_NE(written, "-") << key;
    if (json[key].is_number_float()) {
      EXPECT_DOUBLE_EQ(std::stod(written), json[key].get<double>()) << key;
    } else {
      EXPECT_EQ(written, plain(json[key])) << key;
    }
  }
  EXPECT_EQ(json.size(), config::kLogFieldNames.size()) << "and JSON has no other";
}

TEST(AccessLogTemplate, WhatDoesNotApplyIsADash) {
  AccessRecord record;
  record.status = 400;
  for (const std::string_view name : config::kLogFieldNames) {
    const std::string written = line_of("{" + std::string(name) + "}", record);
    const bool number =
        name == "time" || name == "status" || name == "duration" || name.ends_with("_bytes");
    EXPECT_EQ(written == "-", !number) << name << ": " << written;
  }
}

TEST(AccessLogTemplate, TextBetweenFieldsStaysAndTextsOfPeersAreEscaped) {
  AccessRecord record = full();
  record.target = "/\"\n\xff}{";
  EXPECT_EQ(line_of("{{{status}}} \"{target}\" {connection}#{connection_requests}", record),
            "{502} \"/\\x22\\x0A\\xFF}{\" 1-482#3");
  EXPECT_EQ(line_of("", record), "");
  EXPECT_EQ(line_of("nothing", record), "nothing");
}

TEST(AccessLogTemplate, TheLongestLineHasItsBound) {
  const std::string worst(100'000, '\x01');
  AccessRecord record = full();
  for (auto text : {&AccessRecord::listener, &AccessRecord::client, &AccessRecord::peer,
                    &AccessRecord::method, &AccessRecord::host, &AccessRecord::target,
                    &AccessRecord::protocol, &AccessRecord::upstream, &AccessRecord::server,
                    &AccessRecord::user_agent, &AccessRecord::referer, &AccessRecord::request_id,
                    &AccessRecord::detail, &AccessRecord::tls_server_name}) {
    record.*text = worst;
  }
  const std::vector<FailedAttempt> failed(9, {worst, CloseReason::ServerWantsCertificate});
  record.failed_attempts = failed;
  std::string pattern;
  for (const std::string_view name : config::kLogFieldNames) {
    pattern += '{' + std::string(name) + '}';
  }
  pattern.insert(0, config::kMaxLogTemplate - pattern.size(), 'x');
  const std::string line = line_of(pattern, record);
  EXPECT_LT(line.size(), access_line_bound(record));
  EXPECT_EQ(access_line_bound(record), kMaxAccessLine);
}

}  // namespace
}  // namespace berth::server
