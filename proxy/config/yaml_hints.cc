#include "proxy/config/yaml_hints.h"

#include <string>

namespace berth::config {
namespace {

std::string_view line_of(std::string_view text, uint32_t line) {
  for (uint32_t at = 1; at < line; ++at) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// The value after "key: " or "- " in `line`.
std::string_view value_in(std::string_view line) {
  const size_t colon = line.find(": ");
  const size_t dash = line.find("- ");
  const size_t start = colon != std::string_view::npos ? colon + 2 : dash + 2;
  if (colon == std::string_view::npos && dash == std::string_view::npos) return {};
  const size_t from = line.find_first_not_of(' ', start);
  return from == std::string_view::npos ? std::string_view{} : line.substr(from);
}

bool tab_in_indentation(std::string_view line) {
  const size_t first = line.find_first_not_of(' ');
  return first != std::string_view::npos && line[first] == '\t';
}

// The mistakes that YAML makes easy: what to do about the line, or nothing.
std::string hint_for(std::string_view line) {
  if (tab_in_indentation(line)) return "YAML is indented with spaces, this line has a tab";
  if (line.find(": *") != std::string_view::npos || line.find("- *") != std::string_view::npos) {
    return "'*' starts an alias in YAML: in a value, quote it, such as \"*\"";
  }
  if (line.find("[:") != std::string_view::npos || value_in(line).starts_with('[')) {
    return "'[' starts a list in YAML: quote an IPv6 address, such as \"[::1]:8080\"";
  }
  if (value_in(line).find_first_of("@`%") == 0) return "quote a value that starts like this";
  if (value_in(line).find(": ") != std::string_view::npos) return "quote a value with ': ' in it";
  return {};
}

}  // namespace

Complaint explain_syntax_error(std::string_view text, Mark mark, std::string_view problem) {
  std::string hint;
  if (mark.line != 0) {
    hint = hint_for(line_of(text, mark.line));
    // The parser often notices only on the next line.
    if (hint.empty() && mark.line > 1) hint = hint_for(line_of(text, mark.line - 1));
  }
  return {"not valid YAML: " + std::string(problem), std::move(hint)};
}

}  // namespace berth::config
