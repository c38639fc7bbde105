// What one exchange leaves in the access log, and the place that it is given to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/time.h"
#include "proxy/net/tls_terms.h"
#include "proxy/net/worker_env.h"
#include "proxy/stats/stats.h"

namespace berth::exchange {

// Named in a record, at most; the first ones.
inline constexpr size_t kMostFailedAttempts = 4;

// A server that did not answer the request, before another attempt.
struct FailedAttempt {
  std::string_view server;
  CloseReason reason = CloseReason::None;
};

// Filled when the exchange ends, passed by reference, never kept: the views need to live only for
// the call. Texts come from the peers as they are; the sink escapes them.
struct AccessRecord {
  int64_t time_us = 0;        // wall clock at the request's first byte, microseconds since 1970
  std::string_view listener;  // its name, as in the metrics
  // Address and port; "unix:" for a client of a Unix socket; the address alone where a trusted
  // proxy says whom it speaks for.
  std::string_view client;
  std::string_view peer;             // that proxy, with its port; "": the client itself
  net::ConnectionId connection;      // the client's
  uint32_t connection_requests = 0;  // this request's number on it, from 1
  net::TlsTerms tls;                 // of the client's connection
  std::string_view tls_server_name;  // SNI
  std::string_view method;           // as received
  std::string_view host;
  std::string_view target;      // as received
  std::string_view protocol;    // "HTTP/1.1"
  uint16_t status = 0;          // what the client was sent; 499: it left before there was an answer
  uint64_t received_bytes = 0;  // from the client for this request, its head included
  uint64_t request_body_bytes = 0;  // of that, the body, without framing
  uint64_t sent_bytes = 0;          // to the client, the response's head included
  uint64_t body_bytes = 0;          // of that, the response's body
  Duration duration{};              // from the request's first byte to the response's last

  // The upstream's part: empty or absent where the request never got that far.
  std::string_view upstream;
  std::string_view server;                     // address of the last server that was tried
  uint32_t attempts = 0;                       // servers tried
  std::optional<Duration> queue_wait;          // time spent waiting for a connection
  std::optional<Duration> connect_time;        // absent on a connection that existed before
  std::optional<Duration> header_time;         // from the end of the request to the response's head
  std::optional<stats::AcquireSource> source;  // how the connection was had
  bool reused = false;                         // the connection had carried a request before
  std::span<const FailedAttempt> failed_attempts;  // before the last one; the first few of them
  net::ConnectionId server_connection;             // of the last attempt
  uint32_t server_connection_requests = 0;         // this request's number on it
  net::TlsTerms server_tls;

  CloseReason reason = CloseReason::None;  // why the request failed; None: it did not
  std::string_view detail;                 // what was wrong with a malformed response, and where
  std::string_view user_agent;
  std::string_view referer;
  std::string_view request_id;
};

// Where finished exchanges are recorded. One for each worker, called on its thread; never blocks,
// never fails: a line that cannot be taken is dropped and counted
// (WorkerStats::access_log_dropped).
class AccessLogSink {
 public:
  virtual void log(const AccessRecord& record) = 0;
  // Hands over what has been logged so far. To be called about once a second: a line waits no
  // longer than that.
  virtual void flush() = 0;
  virtual ~AccessLogSink() = default;
};

}  // namespace berth::exchange
