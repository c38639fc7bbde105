// access_log.template: text with {fields}. The table of fields is log_field.def.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/config/diagnostics.h"

namespace berth::config {

enum class LogField : uint8_t {
#define BERTH_LOG_FIELD(name, text) name,
#include "proxy/config/log_field.def"
#undef BERTH_LOG_FIELD
};

inline constexpr std::array kLogFieldNames = {
#define BERTH_LOG_FIELD(name, text) std::string_view(text),
#include "proxy/config/log_field.def"
#undef BERTH_LOG_FIELD
};

// Text, and the field behind it.
struct LogPiece {
  std::string text;
  LogField field = LogField::Time;
  bool has_field = false;  // false: the text is the end of the line
};

// A template's length, at most. With each field once, so does every line have its bound.
inline constexpr size_t kMaxLogTemplate = 4096;

// Splits a template into its pieces. {{ and }} stand for braces. Or says what is wrong with it,
// with the nearest name where a field is unknown.
Result<std::vector<LogPiece>, Complaint> parse_log_template(std::string_view text);

}  // namespace berth::config
