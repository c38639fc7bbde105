// A field section of HTTP/2 becomes the head of an HTTP/1.1 request.
//
// What only HTTP/2 knows (RFC 9113 sections 8.2, 8.3, 8.5; RFC 8441) is judged here; then the head
// is written as HTTP/1.1 text and read by HeadParser. So one set of rules decides for both
// protocols, and what goes to a server is what has been judged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/http/head.h"
#include "proxy/http/head_parser.h"
#include "proxy/net/byte_buffer.h"

namespace berth::http {

// One for each connection: header blocks never overlap. Holds no large buffer between two of
// them.
class Http2HeadBuilder {
 public:
  // What a request's last field section of its own says.
  struct Outcome {
    CloseReason refusal = CloseReason::None;
    size_t size = 0;      // of the head as HTTP/1.1 text
    bool tunnel = false;  // extended CONNECT (RFC 8441): its DATA is a tunnel's
  };

  void begin(const HeadLimits& limits);
  // Each field of the section, in order.
  void add(std::string_view name, std::string_view value);
  // All are there. `ends`: no content follows. `websocket_key`: of the request that an extended
  // CONNECT becomes. The head's views are valid until the next begin() or clear().
  Outcome finish(bool ends, std::string_view websocket_key, RequestHead& head);
  void clear();

  // Bytes of all fields so far, also of those that are not kept because they are too many.
  size_t decoded() const { return decoded_; }
  // For the log of a request that is refused.
  Method method() const { return method_from(pseudo(MethodField)); }

 private:
  enum Pseudo : uint8_t { MethodField, SchemeField, AuthorityField, PathField, ProtocolField };
  static constexpr size_t kPseudos = 5;
  struct Place {
    uint32_t at = 0;
    uint32_t size = 0;
    bool seen = false;
  };

  void refuse(CloseReason reason) {
    if (refusal_ == CloseReason::None) refusal_ = reason;
  }
  void add_pseudo(std::string_view name, std::string_view value);
  void add_regular(std::string_view name, std::string_view value);
  void write_start();
  void write_line(std::string_view name, std::string_view value);
  std::string_view pseudo(Pseudo which) const {
    return std::string_view(pseudo_text_).substr(pseudo_[which].at, pseudo_[which].size);
  }
  bool tunnel() const { return pseudo_[ProtocolField].seen; }

  HeadLimits limits_;
  std::string pseudo_text_;
  Place pseudo_[kPseudos];
  net::ByteBuffer text_;
  std::string cookies_;  // one field in HTTP/1.1, however many there were (RFC 9113 section 8.2.3)
  size_t decoded_ = 0;
  bool started_ = false;  // the start line is written: no pseudo-header may follow
  bool has_length_ = false;
  CloseReason refusal_ = CloseReason::None;
};

// The trailer section of a request: lines with CRLF, as BodyDecoder::trailers() has them.
class Http2Trailers {
 public:
  void begin();
  void add(std::string_view name, std::string_view value);
  // None, or BadTrailer.
  CloseReason finish() const { return refused_ ? CloseReason::BadTrailer : CloseReason::None; }
  std::string take() { return std::move(text_); }
  size_t decoded() const { return decoded_; }

 private:
  std::string text_;
  size_t decoded_ = 0;
  bool refused_ = false;
};

}  // namespace berth::http
