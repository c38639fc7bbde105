// Any bytes as a configuration file: nothing crashes, errors have their place inside the text, and
// what is accepted prints to a file that means the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/base/check.h"
#include "proxy/config/diff.h"
#include "proxy/config/loader.h"
#include "proxy/config/printer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace berth::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadResult result = load_text(text);
  BERTH_CHECK(result.ok() == (result.errors == 0));
  uint32_t lines = 1;
  for (const char c : text) lines += c == '\n' || c == '\r' ? 1 : 0;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    BERTH_CHECK(!diagnostic.message.empty());
    BERTH_CHECK(diagnostic.line <= lines);
    BERTH_CHECK(to_string(diagnostic, "f").find('\n') == std::string::npos);
  }
  if (!result.ok()) return 0;
  const LoadResult again = load_text(print(*result.config));
  BERTH_CHECK(again.ok());
  BERTH_CHECK(*again.config == *result.config);
  BERTH_CHECK(changed_keys(settings_of(*result.config), settings_of(*again.config)).empty());
  return 0;
}
