// One request and its response on an HTTP/2 connection, as Http2Session and its user share it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/http/head.h"
#include "proxy/net/byte_buffer.h"

namespace berth::http {

// RFC 9113 section 7.
enum class Http2Error : uint32_t {
  NoError = 0x0,
  ProtocolError = 0x1,
  InternalError = 0x2,
  FlowControlError = 0x3,
  SettingsTimeout = 0x4,
  StreamClosed = 0x5,
  FrameSizeError = 0x6,
  RefusedStream = 0x7,
  Cancel = 0x8,
  CompressionError = 0x9,
  ConnectError = 0xa,
  EnhanceYourCalm = 0xb,
  InadequateSecurity = 0xc,
  Http11Required = 0xd,
};

// Thread: its worker's. The user derives from it, and keeps it until on_closed() or for as long as
// the session.
class Http2Stream {
 public:
  uint32_t id() const { return id_; }
  // Bytes of the response that are not in a frame yet.
  size_t unsent() const { return out_.size(); }
  // The client has reset it, or broken a rule on it.
  bool reset_by_client() const { return reset_by_client_; }
  bool reset_by_us() const { return reset_by_us_; }

 protected:
  // `memory`: whose the response's bytes are while they wait; nullptr: nobody's.
  explicit Http2Stream(net::MemoryAccount* memory = nullptr) : out_(memory) {}
  ~Http2Stream() = default;

 private:
  friend class Http2Session;

  // What the session reports, from within Http2Session::receive() or produce(). The first two:
  // exactly one of them, first.
  virtual void on_request(const RequestHead& head, size_t size, bool complete) = 0;
  // The head is not served. `size`: of what was received of it, decoded.
  virtual void on_refused(Refusal reason, Method method, size_t size) = 0;
  // Some of the content. It stays in the windows until Http2Session::consume_stream() and
  // consume_connection() are told of it.
  virtual void on_content(std::string_view bytes) = 0;
  // All of it has come.
  virtual void on_request_end(std::string_view trailers) = 0;
  // The content is not as long as announced, or the trailers are malformed. Nothing more comes.
  virtual void on_bad_content(Refusal reason) = 0;
  // The last byte of the response is framed, and the request is not complete: what still comes of
  // it is thrown away, and its window closes soon. Http2Session::end_request_early() is to
  // follow, in a later write.
  virtual void on_early_end() = 0;
  // So many bytes of the response have left unsent().
  virtual void on_progress(size_t bytes) = 0;
  // Both sides are done, or it was reset. The last call.
  virtual void on_closed() = 0;

  uint32_t id_ = 0;
  net::Chain out_;
  std::string trailers_;  // of the response
  std::string request_trailers_;
  uint64_t expected_ = HeadSummary::kNoLength;  // of the request's content, what is still to come
  Http2Error after_response_ = Http2Error::NoError;
  uint32_t unwanted_left_ = 256 * 1024;  // how much that is thrown away may be followed by more
  bool tunnel_ = false;                  // its two directions end each for itself
  bool request_ended_ = false;
  bool request_refused_ = false;  // what still comes of it is thrown away
  bool ended_early_ = false;      // on_early_end() was called
  bool response_begun_ = false;
  bool response_ended_ = false;  // all of it is in out_
  bool waits_for_content_ = false;
  bool reset_by_client_ = false;
  bool reset_by_us_ = false;
};

}  // namespace berth::http
