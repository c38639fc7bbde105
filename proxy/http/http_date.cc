#include "proxy/http/http_date.h"

#include <ctime>

#include "proxy/base/check.h"

namespace berth::http {

void HttpDate::render(int64_t second) {
  const auto seconds = static_cast<std::time_t>(second);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  // In the C locale, which no part of Berth changes.
  const size_t size = std::strftime(text_, sizeof text_, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  BERTH_CHECK(size == kSize);
  second_ = second;
}

}  // namespace berth::http
