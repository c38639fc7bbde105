// X-Request-Id: 128 random bits as 32 hexadecimal digits.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/base/random.h"

namespace berth::exchange {

class RequestId {
 public:
  explicit RequestId(Random& random) {
    for (char* out = text_.data(); out != text_.data() + text_.size(); out += 16) {
      const uint64_t bits = random.next();
      write(out, bits & 0xffff'ffff);
      write(out + 8, bits >> 32);
    }
  }
  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  // Eight digits at once: each of the 32 bits' nibbles gets a byte, and each byte its digit.
  static void write(char* out, uint64_t bits) {
    constexpr uint64_t kEach = 0x0101'0101'0101'0101;
    bits = (bits | bits << 16) & 0x0000'ffff'0000'ffff;
    bits = (bits | bits << 8) & 0x00ff'00ff'00ff'00ff;
    bits = (bits | bits << 4) & 0x0f * kEach;
    const uint64_t letters = ((bits + 6 * kEach) >> 4) & kEach;
    const uint64_t digits = bits + '0' * kEach + letters * ('a' - '0' - 10);
    std::memcpy(out, &digits, sizeof(digits));
  }
  std::array<char, 32> text_;
};

}  // namespace berth::exchange
