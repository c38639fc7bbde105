#include "proxy/config/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "proxy/base/letter_case.h"
#include "proxy/config/config.h"

namespace berth::config {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Largest first. Milliseconds are the finest that the configuration knows.
constexpr std::array<Unit, 5> kTimeUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizeUnits = {
    {{"GiB", kGiB}, {"MiB", kMiB}, {"KiB", kKiB}, {"B", 1}}};

constexpr uint64_t kMaxMilliseconds = 3'650ULL * 86'400'000;  // ten years
constexpr uint64_t kMaxBytes = 1024 * 1024 * kGiB;            // 1 PiB

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes the digits at the front of `text`. None: no digit there, or too many.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::string_view take_letters(std::string_view& text) {
  const auto end = std::find_if(text.begin(), text.end(), is_digit);
  const auto length = static_cast<size_t>(end - text.begin());
  const std::string_view letters = text.substr(0, length);
  text.remove_prefix(length);
  return letters;
}

template <size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  const auto at =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  return at == units.end() ? nullptr : &*at;
}

std::string did_you_mean(std::string_view text) {
  return "did you mean " + std::string(text) + "?";
}

// What someone who wrote `text` most likely wanted, or nothing: other programs' spellings of units.
std::string duration_hint(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  if (!number) return {};
  const std::string digits(whole.substr(0, whole.size() - text.size()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return did_you_mean(digits + (*number >= 1000 ? "ms" : "s"));
  if (text.front() == '.') {
    double value = 0;
    const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), value);
    const std::string_view rest(end, static_cast<size_t>(whole.data() + whole.size() - end));
    const Unit* unit = find_unit(kTimeUnits, rest);
    if (error != std::errc{} || unit == nullptr || value > 1e6) return {};
    const auto ms = std::llround(value * static_cast<double>(unit->factor));
    return ms == 0 ? std::string{} : did_you_mean(format_duration(std::chrono::milliseconds(ms)));
  }
  static constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
      {"sec", "s"},  {"secs", "s"},   {"second", "s"},  {"seconds", "s"}, {"min", "m"},
      {"mins", "m"}, {"minute", "m"}, {"minutes", "m"}, {"hour", "h"},    {"hours", "h"},
      {"day", "d"},  {"days", "d"},   {"msec", "ms"},   {"msecs", "ms"},  {"millis", "ms"},
      {"hr", "h"},   {"hrs", "h"},    {"s", "s"},       {"m", "m"},       {"h", "h"},
      {"d", "d"},    {"ms", "ms"},
  };
  for (const auto& [spelling, unit] : kSpellings) {
    if (equal_in_any_case(text, spelling)) return did_you_mean(digits + std::string(unit));
  }
  return {};
}

std::string size_hint(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  if (!number) return {};
  const std::string digits(whole.substr(0, whole.size() - text.size()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return did_you_mean(format_size(*number));
  static constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
      {"b", "B"},     {"bytes", "B"}, {"byte", "B"}, {"k", "KiB"},  {"kb", "KiB"},
      {"ki", "KiB"},  {"kib", "KiB"}, {"m", "MiB"},  {"mb", "MiB"}, {"mi", "MiB"},
      {"mib", "MiB"}, {"g", "GiB"},   {"gb", "GiB"}, {"gi", "GiB"}, {"gib", "GiB"},
  };
  for (const auto& [spelling, unit] : kSpellings) {
    if (equal_in_any_case(text, spelling)) return did_you_mean(digits + std::string(unit));
  }
  return {};
}

Complaint not_a_duration(std::string_view text) {
  std::string hint = duration_hint(text);
  if (hint.empty()) hint = "a number with a unit: ms, s, m, h or d, such as 75s";
  return {in_quotes(text) + " is not a duration", std::move(hint)};
}

Complaint not_a_size(std::string_view text) {
  std::string hint = size_hint(text);
  if (hint.empty()) hint = "a whole number with a unit: B, KiB, MiB or GiB, such as 64KiB";
  return {in_quotes(text) + " is not a size", std::move(hint)};
}

Complaint not_a_rate(std::string_view text) {
  // Most likely the unit of time is missing, or spelt in another way.
  const std::string_view size = text.substr(0, text.find_first_of("/ps"));
  std::string hint = parse_size(size) ? did_you_mean(std::string(size) + "/s") : size_hint(size);
  if (hint.ends_with("B?")) hint.replace(hint.size() - 1, 1, "/s?");
  if (hint.empty()) hint = "a size a second, such as 1KiB/s";
  return {in_quotes(text) + " is not a rate", std::move(hint)};
}

}  // namespace

Result<Duration, Complaint> parse_duration(std::string_view text) {
  std::string_view rest = text;
  uint64_t total = 0;
  uint64_t last_factor = UINT64_MAX;
  do {
    const auto number = take_number(rest);
    if (!number) return Failure{not_a_duration(text)};
    const Unit* unit = find_unit(kTimeUnits, take_letters(rest));
    if (unit == nullptr || unit->factor >= last_factor) return Failure{not_a_duration(text)};
    if (*number > kMaxMilliseconds / unit->factor) {
      return Failure{Complaint{in_quotes(text) + " is too long a time", "at most 3650d"}};
    }
    total += *number * unit->factor;
    last_factor = unit->factor;
  } while (!rest.empty());
  return Duration(std::chrono::milliseconds(total));
}

Result<uint64_t, Complaint> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number) return Failure{not_a_size(text)};
  const Unit* unit = find_unit(kSizeUnits, rest);
  if (unit == nullptr) return Failure{not_a_size(text)};
  if (*number > kMaxBytes / unit->factor) {
    return Failure{Complaint{in_quotes(text) + " is too large a size", {}}};
  }
  return *number * unit->factor;
}

Result<uint64_t, Complaint> parse_rate(std::string_view text) {
  constexpr std::string_view kASecond = "/s";
  if (!text.ends_with(kASecond)) return Failure{not_a_rate(text)};
  const auto size = parse_size(text.substr(0, text.size() - kASecond.size()));
  if (!size) return Failure{not_a_rate(text)};
  return *size;
}

Result<uint64_t, Complaint> parse_count(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest.empty()) return *number;
  std::string digits;
  for (const char c : text) {
    if (is_digit(c)) digits += c;
  }
  const bool only_separators = text.find_first_not_of("0123456789_,' ") == std::string_view::npos;
  const bool grouped = !digits.empty() && digits != text && only_separators;
  return Failure{Complaint{in_quotes(text) + " is not a whole number",
                           grouped ? did_you_mean(digits) : "only digits, such as 128"}};
}

Result<bool, Complaint> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  for (const std::string_view yes : {"true", "yes", "on", "1", "y"}) {
    if (equal_in_any_case(text, yes)) {
      return Failure{Complaint{in_quotes(text) + " is not true or false", did_you_mean("true")}};
    }
  }
  for (const std::string_view no : {"false", "no", "off", "0", "n"}) {
    if (equal_in_any_case(text, no)) {
      return Failure{Complaint{in_quotes(text) + " is not true or false", did_you_mean("false")}};
    }
  }
  return Failure{Complaint{in_quotes(text) + " is not true or false", {}}};
}

Result<uint32_t, Complaint> parse_mode(std::string_view text) {
  uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || text.size() < 3 || text.size() > 4 || mode > 0777) {
    return Failure{
        Complaint{in_quotes(text) + " is not a file mode", "three octal digits, such as 0660"}};
  }
  return mode;
}

std::string format_duration(Duration value) {
  const auto ms =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(value).count());
  if (ms == 0) return "0s";
  for (const Unit& unit : kTimeUnits) {
    // People say 60s and 24h, but 1h.
    const bool unusual = ms == unit.factor && (unit.name == "d" || unit.name == "m");
    if (ms % unit.factor == 0 && !unusual) {
      return std::to_string(ms / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(ms) + "ms";
}

std::string format_size(uint64_t bytes) {
  if (bytes == 0) return "0B";
  for (const Unit& unit : kSizeUnits) {
    if (bytes % unit.factor == 0) {
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(bytes) + "B";
}

std::string format_rate(uint64_t bytes_a_second) {
  return format_size(bytes_a_second) + "/s";
}

std::string format_mode(uint32_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "0%03o", mode & 0777U);
  return text;
}

}  // namespace berth::config
