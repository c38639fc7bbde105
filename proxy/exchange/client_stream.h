// The client's side of one exchange: what the Exchange needs of the client connection, or of an
// HTTP/2 stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/time.h"
#include "proxy/config/config.h"
#include "proxy/http/body.h"
#include "proxy/http/head.h"
#include "proxy/net/address.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/stats/stats.h"

namespace berth::exchange {

// A response's beginning, from a server. Views are valid during the call.
struct ResponseStart {
  const http::ResponseHead& head;
  const config::HeaderRules& rules;
  http::BodyFraming framing;
  std::string_view body;      // what has come of it
  bool complete = false;      // that is all of it
  std::string_view trailers;  // lines with CRLF; only if complete
  // Of a cookie of Berth's own, to be sent as one more Set-Cookie; "": none.
  std::string_view set_cookie;
};

// A response that Berth makes itself.
struct LocalResponse {
  Refusal reason;  // its row has the status
  std::string_view request_id = {};
  std::string_view location = {};              // of a redirect
  std::string_view detail = {};                // more than the reason says, in words for people
  const config::HeaderRules* rules = nullptr;  // the route's, for responses; nullptr: no route

  uint16_t status() const { return info(reason).status; }
};

// What is known of the client; lives as long as the stream.
struct ClientFacts {
  const net::Address& peer;
  stats::ListenerStats& stats;
  bool secure = false;  // TLS
  bool http2 = false;
  bool trusted = false;                  // its X-Forwarded-* are kept
  uint32_t https_port = 0;               // not 0: it is to come back there, over TLS
  std::string_view subject_header = {};  // what its certificate's subject is told in
  std::string_view subject = {};         // "": it has no verified certificate
  net::MemoryAccount* memory = nullptr;  // whose buffers are the client's
  bool memory_short = false;             // it holds too much memory to begin anything
  TimePoint sends_since{};               // it began to send the request; {}: just now
};

// Thread: the worker's. Nothing here calls back into the Exchange: a send that fails ends the
// exchange at the end of the turn.
class ClientStream {
 public:
  // 100 (Continue), by Berth itself: to a client that waits for it.
  virtual void send_continue() = 0;
  virtual void send_interim(const http::ResponseHead& head) = 0;
  virtual void send_head(const ResponseStart& start) = 0;
  virtual void send_body(std::string_view bytes, bool complete, std::string_view trailers) = 0;
  virtual void send_local(const LocalResponse& response) = 0;
  // 101: from now on send_body() and on_request_body() carry raw bytes; complete is one side's end.
  // `set_cookie`: as in ResponseStart.
  virtual void send_upgrade(const http::ResponseHead& head, std::string_view set_cookie) = 0;
  // Whether every 2xx tells the client that its tunnel is open, as over HTTP/2 (RFC 8441 section
  // 5).
  virtual bool any_2xx_upgrades() const { return false; }
  // Where the client connected to; None where that is not known.
  virtual net::Address local_address() const { return {}; }
  // Bytes that the client has not taken yet.
  virtual size_t unsent() const = 0;
  // Bytes that it has taken, as far as is known; only differences mean something.
  virtual uint64_t taken() const = 0;
  // Whether memory is so short that no more is to be read for the client until it has taken what is
  // here. Exchange::on_memory() follows when that has changed.
  virtual bool must_wait_for_memory() { return false; }
  // Whether its client holds so much memory, and takes so little, that it is to have no more.
  virtual bool memory_refused() const { return false; }

  // The response's last byte has been given to send_*(), and the exchange uses no upstream any
  // more. Always the last call.
  virtual void response_complete() = 0;
  // The response broke off: the client must not take it for complete.
  virtual void abort(CloseReason reason) = 0;

  virtual void pause_request_body() = 0;
  virtual void resume_request_body() = 0;

 protected:
  ~ClientStream() = default;
};

}  // namespace berth::exchange
