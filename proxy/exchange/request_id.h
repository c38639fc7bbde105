// X-Request-Id: 128 random bits as 32 hexadecimal digits.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/base/random.h"

namespace berth::exchange {

class RequestId {
 public:
  explicit RequestId(Random& random) {
    write(text_.data(), random.next());
    write(text_.data() + 16, random.next());
  }
  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  static void write(char* out, uint64_t bits) {
    for (int i = 0; i < 16; ++i) out[i] = "0123456789abcdef"[(bits >> (4 * i)) & 15];
  }
  std::array<char, 32> text_;
};

}  // namespace berth::exchange
