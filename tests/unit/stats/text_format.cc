#include "tests/unit/stats/text_format.h"

#include <cctype>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace berth::stats {
namespace {

// One line, taken from the left.
class Line {
 public:
  explicit Line(const std::string& text) : text_(text), rest_(text) {}

  bool take(std::string_view prefix) {
    if (!rest_.starts_with(prefix)) return false;
    rest_.remove_prefix(prefix.size());
    return true;
  }
  void expect(std::string_view prefix) {
    if (!take(prefix)) fail("expected " + std::string(prefix));
  }

  std::string name() {
    size_t n = 0;
    while (n < rest_.size() && is_name(rest_[n], n > 0)) ++n;
    if (n == 0) fail("a name is missing");
    return take_chars(n);
  }

  std::string quoted() {
    std::string value;
    expect("\"");
    while (!take("\"")) {
      if (rest_.empty()) fail("a quote is missing");
      if (take("\\n")) {
        value += '\n';
      } else if (take("\\\\")) {
        value += '\\';
      } else if (take("\\\"")) {
        value += '"';
      } else if (rest_.front() == '\\') {
        fail("unknown escape");
      } else {
        value += take_chars(1);
      }
    }
    return value;
  }

  double number() {
    const std::string text(rest_);
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') fail("not a number");
    rest_ = {};
    return value;
  }

  std::string rest() { return take_chars(rest_.size()); }

  [[noreturn]] void fail(const std::string& why) const {
    throw std::runtime_error(why + ": " + text_);
  }

 private:
  static bool is_name(char c, bool digits) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalpha(byte) != 0 || c == '_' || c == ':' || (digits && std::isdigit(byte) != 0);
  }
  std::string take_chars(size_t n) {
    std::string taken(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return taken;
  }

  const std::string& text_;
  std::string_view rest_;
};

LabelPairs parse_labels(Line& line) {
  LabelPairs labels;
  if (!line.take("{")) return labels;
  while (!line.take("}")) {
    if (!labels.empty()) line.expect(",");
    const std::string name = line.name();
    line.expect("=");
    labels.emplace_back(name, line.quoted());
  }
  return labels;
}

bool belongs(const std::string& sample, const std::string& name, const std::string& type) {
  if (type != "histogram") return sample == name;
  return sample == name + "_bucket" || sample == name + "_sum" || sample == name + "_count";
}

}  // namespace

Exposition parse_exposition(const std::string& text) {
  Exposition all;
  std::string current;
  std::istringstream lines(text);
  for (std::string raw; std::getline(lines, raw);) {
    Line line(raw);
    if (line.take("# HELP ")) {
      current = line.name();
      line.expect(" ");
      if (!all.emplace(current, Family{line.rest(), "", {}}).second) line.fail("twice");
    } else if (line.take("# TYPE ")) {
      if (line.name() != current) line.fail("no HELP before");
      line.expect(" ");
      all[current].type = line.rest();
    } else {
      Sample sample;
      sample.name = line.name();
      if (current.empty() || !belongs(sample.name, current, all[current].type)) {
        line.fail("outside of its family");
      }
      sample.labels = parse_labels(line);
      line.expect(" ");
      sample.value = line.number();
      all[current].samples.push_back(sample);
    }
  }
  return all;
}

}  // namespace berth::stats
