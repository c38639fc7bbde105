// An access-log record to begin a test with.
#pragma once

#include "proxy/exchange/access_record.h"

namespace berth::server {

inline exchange::AccessRecord example_record() {
  exchange::AccessRecord record;
  record.time_us = 1'790'000'000'001'234;
  record.listener = "0.0.0.0:8080";
  record.client = "192.0.2.7:51234";
  record.method = "GET";
  record.host = "example.com";
  record.target = "/a/b?c=d";
  record.protocol = "HTTP/1.1";
  record.status = 200;
  record.received_bytes = 321;
  record.sent_bytes = 65'700;
  record.body_bytes = 65'536;
  record.duration = std::chrono::nanoseconds(1'234'567);
  record.upstream = "app";
  record.server = "127.0.0.1:3000";
  record.attempts = 2;
  record.queue_wait = std::chrono::seconds(2);
  record.connect_time = std::chrono::microseconds(250);
  record.header_time = std::chrono::milliseconds(1);
  record.source = stats::AcquireSource::Queue;
  record.reused = true;
  record.user_agent = "curl/8";
  record.referer = "https://example.com/";
  record.request_id = "0123abcd";
  return record;
}

}  // namespace berth::server
