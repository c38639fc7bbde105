// CloseReason: why a connection ended or a message was refused. The table is close_reason.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth {

enum class CloseReason : uint8_t {
  None,
#define BERTH_CLOSE_REASON(name, label, cause, severity, status, text) name,
#include "proxy/base/close_reason.def"
#undef BERTH_CLOSE_REASON
};

enum class Cause : uint8_t { Client, Server, Berth };
enum class Severity : uint8_t { Normal, Error };

struct CloseReasonInfo {
  std::string_view label;  // Prometheus label and access-log token
  Cause cause;
  Severity severity;
  uint16_t status;  // what the client is answered; 0: nothing
  std::string_view text;
};

inline constexpr CloseReasonInfo kCloseReasons[] = {
    {"none", Cause::Berth, Severity::Normal, 0, "no reason yet"},
#define BERTH_CLOSE_REASON(name, label, cause, severity, status, text) \
  {label, Cause::cause, Severity::severity, status, text},
#include "proxy/base/close_reason.def"
#undef BERTH_CLOSE_REASON
};

inline constexpr size_t kCloseReasonCount = sizeof(kCloseReasons) / sizeof(kCloseReasons[0]);

constexpr const CloseReasonInfo& info(CloseReason reason) {
  return kCloseReasons[static_cast<size_t>(reason)];
}

}  // namespace berth
