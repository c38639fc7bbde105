#include "proxy/http/malformed.h"

#include <algorithm>

#include "proxy/http/char_class.h"

namespace berth::http {

namespace {

constexpr size_t kMaxName = 64;

// The name of the field in the line at `at`, or which line it is.
std::string place(std::string_view bytes, size_t at) {
  const std::string_view line = bytes.substr(std::min(at, bytes.size()));
  const std::string_view name = line.substr(0, line.find(':'));
  if (name.size() < line.size() && name.size() <= kMaxName && is_token(name)) {
    return std::string(name);
  }
  const auto before =
      std::count(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(line.size()), '\n');
  return "line " + std::to_string(before + 1);
}

size_t line_before(std::string_view bytes, size_t at) {
  if (at < 2) return 0;
  const size_t end = bytes.rfind('\n', at - 2);
  return end == std::string_view::npos ? 0 : end + 1;
}

}  // namespace

std::string describe_refusal(std::string_view bytes, const ParseOutcome& outcome) {
  using enum CloseReason;
  const size_t at = outcome.line_at;
  const CloseReason rule = outcome.rule;
  if (rule == BadResponse) return "malformed status line";
  if (rule == BadHeaderName) return "malformed field name in " + place(bytes, at);
  if (rule == BadHeaderValue && at == 0) return "too many options in Connection";
  if (rule == BadHeaderValue) return "control byte in " + place(bytes, at);
  if (rule == BareLineEnd) return "bare CR or LF in " + place(bytes, at);
  if (rule == ObsFold) return "folded line in " + place(bytes, line_before(bytes, at));
  if (rule == BadContentLength) return "Content-Length is not one number";
  if (rule == BadTransferEncoding) return "Transfer-Encoding is not chunked";
  return std::string(info(rule).text);
}

}  // namespace berth::http
