// Response heads: pieces and scanners make no difference.
#include "tests/fuzz/http_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace berth::http;  // NOLINT(google-build-using-namespace): a function that C calls
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const HeadLimits limits = (data[1] & 0x80) == 0
                                ? HeadLimits{}
                                : HeadLimits{.max_head = size_t{data[1]} * 2, .max_target = 32};
  check_head<ResponseHead>(bytes, limits, data[0]);

  static ResponseHead head;
  HeadProgress progress;
  if (HeadParser::parse(bytes, limits, progress, head).status == ParseStatus::Complete) {
    require(!(head.summary.chunked && head.summary.has_length()), "one framing", bytes);
    require(head.status >= 100 && head.status <= 599, "a status", bytes);
    require(head.keep_alive_timeout >= -1 && head.keep_alive_max >= -1, "hints", bytes);
  }
  return 0;
}
