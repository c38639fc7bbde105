// The value of a Date field (RFC 9110 section 5.6.7), written anew only when the second changes.
#pragma once

#include <cstdint>
#include <string_view>

namespace berth::http {

// Thread: its owner's.
class HttpDate {
 public:
  // `wall_us`: microseconds since 1970. The view is valid until the next call.
  std::string_view text(int64_t wall_us) {
    const int64_t second = wall_us / 1'000'000;
    if (second != second_) render(second);
    return {text_, kSize};
  }

 private:
  static constexpr size_t kSize = sizeof("Sun, 06 Nov 1994 08:49:37 GMT") - 1;
  void render(int64_t second);

  int64_t second_ = INT64_MIN;
  char text_[kSize + 1] = {};
};

}  // namespace berth::http
