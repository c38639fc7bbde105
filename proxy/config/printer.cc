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

// A visitor that hands each key with its value as text to `Out`, in the order of the schema.
template <class Out>
class Printer {
 public:
  explicit Printer(Out& out) : out_(out) {}

  void boolean(std::string_view key, bool value) { out_.line(key, value ? "true" : "false"); }
  void duration(std::string_view key, Duration value, const DurationBounds& /*bounds*/) {
    out_.line(key, format_duration(value));
  }
  void duration_or(std::string_view key, const std::optional<Duration>& value,
                   const DurationBounds& /*bounds*/, const Keyword& keyword) {
    out_.line(key, value ? format_duration(*value) : std::string(keyword.word));
  }
  void count(std::string_view key, uint32_t value, const NumberBounds& /*bounds*/,
             const Keyword* keyword = nullptr) {
    const bool word = keyword != nullptr && keyword->value == value;
    out_.line(key, word ? std::string(keyword->word) : std::to_string(value));
  }
  void size(std::string_view key, uint64_t value, const NumberBounds& /*bounds*/,
            const Keyword* keyword = nullptr) {
    const bool word = keyword != nullptr && keyword->value == value;
    out_.line(key, word ? std::string(keyword->word) : format_size(value));
  }
  void rate(std::string_view key, uint64_t value, const NumberBounds& /*bounds*/,
            const Keyword& keyword) {
    out_.line(key, value == keyword.value ? std::string(keyword.word) : format_rate(value));
  }
  void mode(std::string_view key, uint32_t value) { out_.line(key, scalar(format_mode(value))); }
  void port_or_off(std::string_view key, uint32_t value, uint32_t /*usual*/) {
    out_.line(key, value == 0 ? "off" : std::to_string(value));
  }
  void text(std::string_view key, const std::string& value, TextKind kind) {
    const bool may_be_off = kind == TextKind::AdminAddress || kind == TextKind::CookieName;
    const bool off = may_be_off && value.empty();
    out_.line(key, off ? "off" : scalar(value));
  }
  void address(std::string_view key, const Endpoint& value, TextKind kind) {
    text(key, value.text(), kind);
  }
  void texts(std::string_view key, const std::vector<std::string>& values, TextKind /*kind*/) {
    std::string all;
    for (const std::string& value : values) all += (all.empty() ? "" : ", ") + scalar(value);
    out_.line(key, "[" + all + "]");
  }
  void texts_or_default(std::string_view key, const std::vector<std::string>& values,
                        TextKind kind) {
    texts(key, values, kind);
  }
  void pairs(std::string_view key, const std::vector<std::pair<std::string, std::string>>& values) {
    if (values.empty()) {
      out_.line(key, "{}");
      return;
    }
    out_.open(key);
    for (const auto& [name, value] : values) out_.line(scalar(name), scalar(value));
    out_.close();
  }
  template <class E, size_t N>
  void choice(std::string_view key, E value, const std::array<Choice<E>, N>& choices) {
    for (const Choice<E>& choice : choices) {
      if (choice.value == value) out_.line(key, choice.name);
    }
  }
  template <class T>
  void section(std::string_view key, T& value) {
    out_.open(key);
    visit_keys(*this, value);
    out_.close();
  }
  template <class T>
  void switchable(std::string_view key, T& value) {
    section(key, value);
  }
  template <class T>
  void list(std::string_view key, std::vector<T>& values) {
    if (values.empty()) {
      out_.line(key, "[]");
      return;
    }
    out_.open(key);
    for (size_t i = 0; i < values.size(); ++i) {
      out_.open_item(i);
      visit_keys(*this, values[i]);
      out_.close_item();
    }
    out_.close();
  }
  template <class T>
  void named(std::string_view key, std::vector<T>& values) {
    if (values.empty()) {
      out_.line(key, "{}");
      return;
    }
    out_.open(key);
    for (T& value : values) section(scalar(value.name), value);
    out_.close();
  }

 private:
  Out& out_;
};

class YamlText {
 public:
  std::string take() { return std::move(out_); }

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
  void open_item(size_t /*index*/) {
    dashes_.push_back(out_.size() + indent_);
    indent_ += 2;
  }
  void close_item() {
    indent_ -= 2;
    out_[dashes_.back()] = '-';
    dashes_.pop_back();
  }

 private:
  std::string out_;
  size_t indent_ = 0;
  std::vector<size_t> dashes_;  // of open items: in the place of their first key's indentation
};

class PathList {
 public:
  Settings take() { return std::move(out_); }

  void line(std::string_view key, std::string_view value) { out_[inside(key)] = value; }
  void open(std::string_view key) { around_.push_back(inside(key)); }
  void close() { around_.pop_back(); }
  void open_item(size_t index) {
    around_.push_back(around_.back() + '[' + std::to_string(index) + ']');
  }
  void close_item() { close(); }

 private:
  std::string inside(std::string_view key) const {
    return around_.empty() ? std::string(key) : around_.back() + '.' + std::string(key);
  }

  Settings out_;
  std::vector<std::string> around_;  // paths
};

template <class Out, class T>
auto written(T object) {  // a copy: the schema visits writable objects
  Out out;
  Printer<Out> printer(out);
  visit_keys(printer, object);
  return out.take();
}

}  // namespace

std::string print(const Config& config) {
  return written<YamlText>(config);
}

Settings settings_of(const Config& config) {
  return written<PathList>(config);
}

Settings settings_of(const Listener& listener) {
  return written<PathList>(listener);
}

Settings settings_of(const Upstream& upstream) {
  return written<PathList>(upstream);
}

}  // namespace berth::config
