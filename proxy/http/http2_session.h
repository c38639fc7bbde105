// The server's side of HTTP/2 (RFC 9113), on nghttp2: bytes in, requests out; responses in, bytes
// out. No socket, no clock.
//
// What nghttp2 does: frames, HPACK, stream states, flow control, the order in which streams send.
// What a request may look like is ours (http2_head.h), and so is how much nonsense a client may
// send (http2_meter.h).
//
// A stream's window opens again when its exchange takes the content, the connection's at once, so
// that a slow stream stalls no other; while memory is short the connection's waits too, and bounds
// what all streams hold. Response bytes wait in their stream, within response_buffer; of the
// connection's output only some 64 KiB are framed ahead. Streams take turns: RFC 9218's default
// would send the oldest to its end first.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/base/random.h"
#include "proxy/http/http2_dead_content.h"
#include "proxy/http/http2_head.h"
#include "proxy/http/http2_meter.h"
#include "proxy/http/http2_stream.h"
#include "proxy/net/byte_buffer.h"

struct nghttp2_session;

namespace berth::http {

struct Http2Limits {
  HeadLimits head;
  uint32_t max_streams = 100;
  uint32_t stream_window = 64 * 1024;  // bytes of a request's content that may be on their way
  uint32_t connection_window = 1024 * 1024;  // over all streams
};

struct Http2Field {
  std::string_view name;  // in any case: it is sent in lower case
  std::string_view value;
};
using Http2Fields = std::vector<Http2Field>;

class Http2Events {
 public:
  // A client has begun a request: the user's object for it, which outlives its on_closed().
  virtual Http2Stream& open_stream() = 0;
  // The client has answered ping().
  virtual void on_ping_answered() = 0;

 protected:
  ~Http2Events() = default;
};

// One for each connection. Thread: its worker's. Its calls may be made from within its callbacks,
// except for receive() and produce().
class Http2Session {
 public:
  Http2Session(const Http2Limits& limits, Http2Events& events, Random& random);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // What has come from the client, its preface first.
  void receive(std::string_view bytes, TimePoint now);
  // Writes frames to `out`, which has room for kRoom bytes; returns how many bytes. Fewer than
  // kEnough: that was all for now.
  size_t produce(char* out);
  static constexpr size_t kEnough = 48 * 1024;
  static constexpr size_t kRoom = kEnough + 17 * 1024;  // and one frame of any kind
  // In receive() or produce(): these must not be called again.
  bool busy() const { return busy_; }

  // 1xx.
  void send_interim(Http2Stream& stream, uint16_t status, const Http2Fields& fields);
  // The response's head. `complete`: that is all.
  void send_head(Http2Stream& stream, uint16_t status, const Http2Fields& fields, bool complete);
  // Content behind the head. Bytes in `scratch` are taken over if they are many. `trailers`: lines
  // with CRLF, if complete.
  void send_content(Http2Stream& stream, std::string_view bytes, net::Scratch& scratch,
                    bool complete, std::string_view trailers);
  // RST_STREAM; what is unsent is thrown away.
  void reset(Http2Stream& stream, Http2Error error);
  // After the response, RST_STREAM with this error instead of NO_ERROR if the request is not
  // complete, and whether it is or not if `error` is one.
  void end_with(Http2Stream& stream, Http2Error error) { stream.after_response_ = error; }
  // The stream's user is going while the stream is not closed: nothing is reported to it any more.
  void forget(Http2Stream& stream);
  // After on_early_end(): the client is to send no more of this request. The response is with it.
  void end_request_early(Http2Stream& stream);
  // From now on the stream is a tunnel (RFC 8441): the end of one direction leaves the other open.
  void begin_tunnel(Http2Stream& stream) { stream.tunnel_ = true; }
  // The client may send as many bytes more.
  void consume_stream(Http2Stream& stream, size_t bytes);
  void consume_connection(size_t bytes);
  // What has been thrown away: some more may come, for clients that have to end their request
  // before they see that it is answered (curl), but not for ever.
  void consume_unwanted(Http2Stream& stream, size_t bytes);

  // Ends the connection in two steps (RFC 9113 section 6.8): GOAWAY tells the client to open no
  // more streams; a second one tells which are served: all that have come when it is written.
  void announce_end();
  void end_new_streams();
  // GOAWAY at once: an error, or the end of an idle connection.
  void terminate(Http2Error error);
  void ping();

  // Nothing more will come or go: the connection can be closed.
  bool finished() const;
  // Why the connection ends, if it does because of what the client has done. GOAWAY says so to the
  // client.
  CloseReason failure() const { return failure_; }
  bool settings_acknowledged() const { return settings_acknowledged_; }
  bool in_header_block() const { return meter_.in_header_block(); }
  size_t streams() const { return streams_; }
  // How many bytes of a response the client takes before it has said that it takes more.
  size_t initial_window() const;

 private:
  struct Callbacks;
  friend struct Callbacks;
  struct Delete {
    void operator()(nghttp2_session* session) const;
  };

  void end_head(Http2Stream& stream, bool ends);
  void end_trailers(Http2Stream& stream, bool ends);
  void take_content(Http2Stream& stream, std::string_view bytes);
  void end_request(Http2Stream& stream);
  void refuse_content(Http2Stream& stream, Refusal reason);
  void fail(CloseReason reason, Http2Error error);
  void on_response_sent(Http2Stream& stream);
  void submit_last_goaway();
  void wake_client();
  void append(const void* bytes, size_t size);
  void write_data(Http2Stream& stream, const uint8_t* frame_header, size_t size);

  Http2Events& events_;
  Random& random_;
  const HeadLimits limits_;
  Http2Meter meter_;
  Http2DeadContent dead_content_;
  Http2HeadBuilder head_;
  Http2Trailers trailers_;
  TimePoint now_{};  // during receive()
  size_t streams_ = 0;
  char* out_ = nullptr;  // during produce()
  size_t produced_ = 0;  // during produce()
  CloseReason failure_ = CloseReason::None;
  bool busy_ = false;
  bool settings_acknowledged_ = false;
  bool ends_new_streams_ = false;                     // the last GOAWAY is to be written
  uint32_t last_stream_ = UINT32_MAX;                 // that is served; in the last GOAWAY
  std::unique_ptr<nghttp2_session, Delete> session_;  // last: its end calls back
};

}  // namespace berth::http
