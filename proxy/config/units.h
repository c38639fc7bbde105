// Durations, sizes and counts as text. Units are always written, so that nobody has to guess.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/time.h"
#include "proxy/config/diagnostics.h"

namespace berth::config {

// "250ms", "75s", "5m", "1h", "30d", or several largest first: "1h30m".
Result<Duration, Complaint> parse_duration(std::string_view text);

// "512B", "64KiB", "1MiB", "2GiB". In bytes.
Result<uint64_t, Complaint> parse_size(std::string_view text);

// A size a second: "240B/s", "1KiB/s". In bytes.
Result<uint64_t, Complaint> parse_rate(std::string_view text);

// A whole number in decimal digits.
Result<uint64_t, Complaint> parse_count(std::string_view text);

// "true" or "false".
Result<bool, Complaint> parse_bool(std::string_view text);

// Permission bits in octal: "0660".
Result<uint32_t, Complaint> parse_mode(std::string_view text);

// The shortest text that parses to the same value: the largest unit that divides it.
std::string format_duration(Duration value);  // whole milliseconds
std::string format_size(uint64_t bytes);
std::string format_rate(uint64_t bytes_a_second);
std::string format_mode(uint32_t mode);

}  // namespace berth::config
