#include "proxy/config/printer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/schema.h"
#include "proxy/config/units.h"

namespace berth::config {
namespace {

bool is_plain_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_./-").find(c) != std::string_view::npos;
}

// `text` as a YAML scalar: bare where nothing in it can be taken for syntax, else in double quotes.
std::string scalar(std::string_view text) {
  const bool bare = !text.empty() && text.front() != '-' && text.front() != '.' && text != "null" &&
                    text != "Null" && text != "NULL" &&
                    std::all_of(text.begin(), text.end(), is_plain_char);
  if (bare) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escaped[5];
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

// A visitor that writes each key with its value, in the order of the schema.
class Printer {
 public:
  std::string take() { return std::move(out_); }

  void boolean(std::string_view key, bool value) { line(key, value ? "true" : "false"); }
  void duration(std::string_view key, Duration value, const DurationBounds& /*bounds*/) {
    line(key, format_duration(value));
  }
  void duration_or(std::string_view key, const std::optional<Duration>& value,
                   const DurationBounds& /*bounds*/, const Keyword& keyword) {
    line(key, value ? format_duration(*value) : std::string(keyword.word));
  }
  void count(std::string_view key, uint32_t value, const NumberBounds& /*bounds*/,
             const Keyword* keyword = nullptr) {
    const bool word = keyword != nullptr && keyword->value == value;
    line(key, word ? std::string(keyword->word) : std::to_string(value));
  }
  void size(std::string_view key, uint64_t value, const NumberBounds& /*bounds*/,
            const Keyword* keyword = nullptr) {
    const bool word = keyword != nullptr && keyword->value == value;
    line(key, word ? std::string(keyword->word) : format_size(value));
  }
  void rate(std::string_view key, uint64_t value, const NumberBounds& /*bounds*/,
            const Keyword& keyword) {
    line(key, value == keyword.value ? std::string(keyword.word) : format_rate(value));
  }
  void mode(std::string_view key, uint32_t value) { line(key, scalar(format_mode(value))); }
  void port_or_off(std::string_view key, uint32_t value, uint32_t /*usual*/) {
    line(key, value == 0 ? "off" : std::to_string(value));
  }
  void text(std::string_view key, const std::string& value, TextKind kind) {
    const bool may_be_off = kind == TextKind::AdminAddress || kind == TextKind::CookieName;
    const bool off = may_be_off && value.empty();
    line(key, off ? "off" : scalar(value));
  }
  void texts(std::string_view key, const std::vector<std::string>& values, TextKind /*kind*/) {
    std::string all;
    for (const std::string& value : values) all += (all.empty() ? "" : ", ") + scalar(value);
    line(key, "[" + all + "]");
  }
  void texts_or_default(std::string_view key, const std::vector<std::string>& values,
                        TextKind kind) {
    texts(key, values, kind);
  }
  void pairs(std::string_view key, const std::vector<std::pair<std::string, std::string>>& values) {
    if (values.empty()) {
      line(key, "{}");
      return;
    }
    open(key);
    for (const auto& [name, value] : values) line(scalar(name), scalar(value));
    close();
  }
  template <class E, size_t N>
  void choice(std::string_view key, E value, const std::array<Choice<E>, N>& choices) {
    for (const Choice<E>& choice : choices) {
      if (choice.value == value) line(key, choice.name);
    }
  }
  template <class T>
  void section(std::string_view key, T& value) {
    open(key);
    visit_keys(*this, value);
    close();
  }
  template <class T>
  void switchable(std::string_view key, T& value) {
    section(key, value);
  }
  template <class T>
  void list(std::string_view key, std::vector<T>& values) {
    if (values.empty()) {
      line(key, "[]");
      return;
    }
    open(key);
    for (T& value : values) {
      const size_t start = out_.size();
      indent_ += 2;
      visit_keys(*this, value);
      indent_ -= 2;
      out_[start + indent_] = '-';  // in the place of the first key's indentation
    }
    close();
  }
  template <class T>
  void named(std::string_view key, std::vector<T>& values) {
    if (values.empty()) {
      line(key, "{}");
      return;
    }
    open(key);
    for (T& value : values) section(scalar(value.name), value);
    close();
  }

 private:
  void line(std::string_view key, std::string_view value) {
    out_.append(indent_, ' ');
    out_ += key;
    out_ += ": ";
    out_ += value;
    out_ += '\n';
  }
  void open(std::string_view key) {
    out_.append(indent_, ' ');
    out_ += key;
    out_ += ":\n";
    indent_ += 2;
  }
  void close() { indent_ -= 2; }

  std::string out_;
  size_t indent_ = 0;
};

}  // namespace

std::string print(const Config& config) {
  Printer printer;
  Config copy = config;  // the schema visits writable objects
  visit_keys(printer, copy);
  return printer.take();
}

}  // namespace berth::config
