// How a server that speaks HTTP/2 gives itself away: by a SETTINGS frame before anything else (RFC
// 9113 section 3.4).
#pragma once

#include <cstdint>
#include <string_view>

namespace berth::http {

constexpr bool begins_with_settings(std::string_view bytes) {
  constexpr size_t kFrameHeader = 9;
  constexpr size_t kSetting = 6;
  constexpr uint8_t kType = 4;
  if (bytes.size() < kFrameHeader) return false;
  const auto byte = [bytes](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  const uint32_t length = uint32_t{byte(0)} << 16 | uint32_t{byte(1)} << 8 | byte(2);
  const bool whole_connection = byte(5) == 0 && byte(6) == 0 && byte(7) == 0 && byte(8) == 0;
  return length % kSetting == 0 && length < 16384 && byte(3) == kType && byte(4) == 0 &&
         whole_connection;
}

}  // namespace berth::http
