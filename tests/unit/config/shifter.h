// A visitor of the schema that gives keys other values: valid ones, one key at a time.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/schema.h"

namespace berth::config {

// Sets every value to one that is not its default: a key that is printed or read wrongly shows.
class Shifter {
 public:
  void boolean(std::string_view /*key*/, bool& value) { value = !value; }
  void duration(std::string_view /*key*/, Duration& value, const DurationBounds& bounds) {
    value = std::max(bounds.min, value + 1000ms);
    if (value > bounds.max) value = bounds.min;
  }
  void duration_or(std::string_view /*key*/, std::optional<Duration>& value,
                   const DurationBounds& /*bounds*/, const Keyword& /*keyword*/) {
    value = 1234ms;
  }
  void count(std::string_view /*key*/, uint32_t& value, const NumberBounds& bounds,
             const Keyword* /*keyword*/ = nullptr) {
    value = std::max(value + 1, static_cast<uint32_t>(bounds.min));
    if (value > bounds.max) value = static_cast<uint32_t>(bounds.max) - 1;
  }
  void size(std::string_view /*key*/, uint64_t& value, const NumberBounds& bounds,
            const Keyword* keyword = nullptr) {
    value = keyword != nullptr ? keyword->value : std::min(value + 1, bounds.max - 1);
  }
  void rate(std::string_view /*key*/, uint64_t& value, const NumberBounds& bounds,
            const Keyword& /*keyword*/) {
    value = value < bounds.max ? value + 1 : bounds.min;
  }
  void mode(std::string_view /*key*/, uint32_t& value) { value ^= 0006; }
  void port_or_off(std::string_view /*key*/, uint32_t& value, uint32_t /*usual*/) {
    value = value == 0 ? 8443 : 0;
  }
  void text(std::string_view /*key*/, std::string& value, TextKind kind) {
    if (kind == TextKind::AdminAddress) value = "";
    if (kind == TextKind::LogPath) value = "/x";
    if (kind == TextKind::LogTemplate) value = value.empty() ? "{client} {{}}" : "";
    if (kind == TextKind::Host) value = "a.b";
    if (kind == TextKind::PathPrefix) value = "/p/";
    if (kind == TextKind::Label) value = "label";
    if (kind == TextKind::ListenAddress) value = "unix:/l";
    if (kind == TextKind::ServerAddress) value = value == "[::1]:5" ? "[::1]:6" : "[::1]:5";
    if (kind == TextKind::HashName) value = value.empty() ? "X-Name" : "";
    if (kind == TextKind::CookieName) value = "sid";
    if (kind == TextKind::CookiePath) value = "/p";
    if (kind == TextKind::File) value = "/f";
    if (kind == TextKind::ServerName) value = "a.b";
    if (kind == TextKind::Ciphers) value = "A:B";
    if (kind == TextKind::HeaderName) value = "X-Y";
  }
  void address(std::string_view key, Endpoint& value, TextKind kind) {
    std::string written = value.text();
    text(key, written, kind);
    value = written;
  }
  void texts(std::string_view /*key*/, std::vector<std::string>& values, TextKind kind) {
    values = {"A", "b"};
    if (kind == TextKind::Network) values = {"::/0", "1.2.3.4"};
    if (kind == TextKind::Nameserver) values = {"1.2.3.4:53", "[::1]:54"};
    if (kind == TextKind::HostName) values = {"a", "b.c"};
  }
  void texts_or_default(std::string_view /*key*/, std::vector<std::string>& values, TextKind kind) {
    values = {"x"};
    if (kind == TextKind::StatusRange) values = {"204", "300-302"};
  }
  void pairs(std::string_view /*key*/, std::vector<std::pair<std::string, std::string>>& values) {
    values = {{"X", "y"}, {"Z", ""}};
  }
  template <class E, size_t N>
  void choice(std::string_view /*key*/, E& value, const std::array<Choice<E>, N>& choices) {
    value = choices[0].value == value ? choices[N - 1].value : choices[0].value;
  }
  template <class T>
  void section(std::string_view /*key*/, T& value) {
    visit_keys(*this, value);
  }
  template <class T>
  void switchable(std::string_view /*key*/, T& value) {
    visit_keys(*this, value);
  }
  template <class T>
  void list(std::string_view /*key*/, std::vector<T>& values) {
    for (T& value : values) visit_keys(*this, value);
  }
  template <class T>
  void named(std::string_view /*key*/, std::vector<T>& values) {
    for (T& value : values) visit_keys(*this, value);
  }
};

}  // namespace berth::config
