// A client of HTTP/2 that writes frame by frame, right or wrong, and reads what it is sent.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/http2_meter.h"

namespace berth::http::wire {

inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr uint8_t kPadded = 0x8;

inline std::string number(uint64_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
  return out;
}

inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  return number(payload.size(), 3) + number(type, 1) + number(flags, 1) + number(stream, 4) +
         std::string(payload);
}
inline std::string frame(Http2Frame type, uint8_t flags, uint32_t stream,
                         std::string_view payload = {}) {
  return frame(static_cast<uint8_t>(type), flags, stream, payload);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// A literal without indexing (RFC 7541 section 6.2.2), no Huffman.
inline std::string literal(std::string_view text) {
  std::string out;
  if (text.size() < 127) {
    out += static_cast<char>(text.size());
  } else {
    out += static_cast<char>(127);
    size_t rest = text.size() - 127;
    for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
    out += static_cast<char>(rest);
  }
  return out += text;
}
inline std::string block(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    out += literal(name) + literal(value);
  }
  return out;
}

inline Fields get(std::string path = "/", Fields more = {}) {
  Fields fields = {{":method", "GET"},
                   {":scheme", "http"},
                   {":authority", "app.test"},
                   {":path", std::move(path)}};
  for (auto& field : more) fields.push_back(std::move(field));
  return fields;
}
inline Fields post(Fields more = {}) {
  Fields fields = get("/form", std::move(more));
  fields.front().second = "POST";
  return fields;
}

inline std::string headers(uint32_t stream, const Fields& fields,
                           uint8_t flags = kEndHeaders | kEndStream) {
  return frame(Http2Frame::Headers, flags, stream, block(fields));
}
inline std::string data(uint32_t stream, std::string_view bytes, uint8_t flags = 0) {
  return frame(Http2Frame::Data, flags, stream, bytes);
}
inline std::string settings(const std::vector<std::pair<uint16_t, uint32_t>>& values = {}) {
  std::string payload;
  for (const auto& [id, value] : values) payload += number(id, 2) + number(value, 4);
  return frame(Http2Frame::Settings, 0, 0, payload);
}
inline std::string settings_ack() {
  return frame(Http2Frame::Settings, kAck, 0);
}
inline std::string hello() {
  return std::string(kHttp2Preface) + settings() + settings_ack();
}
inline std::string window_update(uint32_t stream, uint32_t by) {
  return frame(Http2Frame::WindowUpdate, 0, stream, number(by, 4));
}
inline std::string rst(uint32_t stream, uint32_t error = 8) {
  return frame(Http2Frame::RstStream, 0, stream, number(error, 4));
}
inline std::string ping(uint8_t flags = 0) {
  return frame(Http2Frame::Ping, flags, 0, "01234567");
}

// --- What the server has sent.

struct Frame {
  Http2Frame type;
  uint8_t flags;
  uint32_t stream;
  std::string payload;

  uint32_t number_at(size_t at) const {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<uint8_t>(payload.at(i));
    return value;
  }
  bool ends() const { return (flags & kEndStream) != 0; }
};

// Takes the whole frames off the front of `bytes`.
inline std::vector<Frame> frames(std::string& bytes) {
  std::vector<Frame> out;
  size_t at = 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[at + i]); };
  while (bytes.size() - at >= 9) {
    const size_t size = size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2);
    if (bytes.size() - at < 9 + size) break;
    const uint32_t stream = uint32_t{byte(5)} << 24 | uint32_t{byte(6)} << 16 |
                            uint32_t{byte(7)} << 8 | uint32_t{byte(8)};
    out.push_back({static_cast<Http2Frame>(byte(3)), byte(4), stream, bytes.substr(at + 9, size)});
    at += 9 + size;
  }
  bytes.erase(0, at);
  return out;
}

// Reads header blocks: one for each connection, since HPACK remembers.
class Decoder {
 public:
  Decoder() { nghttp2_hd_inflate_new(&inflater_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { nghttp2_hd_inflate_del(inflater_); }

  // "name=value;" for each field.
  std::string read(std::string block) {
    std::string out;
    auto* at = reinterpret_cast<uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (used < 0) return "broken";
      at += used;
      left -= static_cast<size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        out.append(reinterpret_cast<char*>(field.name), field.namelen);
        out += '=';
        out.append(reinterpret_cast<char*>(field.value), field.valuelen);
        out += ';';
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return out;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace berth::http::wire
