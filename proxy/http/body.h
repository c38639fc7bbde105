// Message body framing, both directions (RFC 9112 sections 6 and 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/result.h"
#include "proxy/http/chunk_extension.h"
#include "proxy/http/head.h"

namespace berth::http {

enum class BodyKind : uint8_t { None, Length, Chunked, UntilClose };

struct BodyFraming {
  BodyKind kind = BodyKind::None;
  uint64_t length = 0;  // Length only; a length of 0 is BodyKind::None
};

// RFC 9112 section 6.3. The head has been parsed, so its framing fields are known to be consistent.
BodyFraming request_framing(const RequestHead& head);
BodyFraming response_framing(const ResponseHead& head, Method request_method);

// Takes a body apart, in place. One per message; 48 bytes or so plus the trailer section, if there
// is one.
class BodyDecoder {
 public:
  struct Step {
    size_t consumed = 0;  // bytes of the input that belong to this body
    size_t payload =
        0;  // payload bytes, now at data[0, payload): chunk framing has been squeezed out
    bool complete = false;
  };

  BodyDecoder() = default;
  explicit BodyDecoder(BodyFraming framing);

  // Decodes as much of data[0, size) as belongs to the body. UntilClose is complete only by
  // finish(). Refuses with BadChunk or BadTrailer. Chunk extensions are checked and dropped
  // (RFC 9112 section 7.1.1); a chunk-size line is limited to 256 bytes and the trailer section to
  // max_trailer bytes.
  Result<Step, CloseReason> decode(char* data, size_t size);

  // The peer closed: true if that completes the body (UntilClose).
  bool finish();

  bool complete() const { return complete_; }
  BodyKind kind() const { return kind_; }
  uint64_t remaining() const { return remaining_; }  // Length: payload bytes still to come

  // A Length body whose next n payload bytes went by outside the decoder (splice).
  void skip(uint64_t n);

  // Complete chunked body: the validated trailer section, lines with CRLF, without the final empty
  // line; "" if none. Framing, routing and authentication fields are dropped from it (RFC 9110
  // section 6.5.1).
  std::string_view trailers() const { return trailers_; }

  static constexpr size_t kMaxTrailer = size_t{8} * 1024;

 private:
  enum class ChunkState : uint8_t { Size, Extension, SizeLf, Data, DataCr, DataLf, Trailer };
  Result<Step, CloseReason> decode_chunked(char* data, size_t size);
  // Each takes what it can off the front of `at`; false: refused.
  bool take_size_line(const char*& at, const char* end);
  bool take_trailer(const char*& at, const char* end);
  bool end_trailer_line();

  BodyKind kind_ = BodyKind::None;
  bool complete_ = true;
  ChunkState chunk_state_ = ChunkState::Size;
  ChunkExtension extension_ = ChunkExtension::Begin;
  uint16_t line_length_ =
      0;  // Size, Extension: bytes of the line; Trailer: where it starts in trailers_
  uint64_t remaining_ = 0;  // of the body or the chunk; Trailer: bytes seen of the section
  std::string trailers_;
};

// "<hex size>CRLF" into out (at least 18 bytes); returns its length. The chunk's data is followed
// by CRLF.
size_t write_chunk_size(char* out, uint64_t size);

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace berth::http
