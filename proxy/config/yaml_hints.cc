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

  return {};
}

// True if nothing but one word is before the place in its line: "   name" in "   name: value".
bool after_a_lone_key(std::string_view line, Mark mark) {
  const size_t first = line.find_first_not_of(' ');
  if (mark.column == 0 || first >= mark.column - 1) return false;
  return line.substr(0, mark.column - 1).find_first_of(" \t", first) == std::string_view::npos;
}

// The parser's messages in plain words.
struct Wording {
  std::string_view parser;
  std::string_view message;
  std::string_view hint;
};

constexpr Wording kWordings[] = {
    {"end of map not found", "this line does not continue the map above it",
     "the keys of a map begin in the same column"},
    {"end of sequence not found", "this line does not continue the list above it",
     "the '-' of a list's items are in the same column"},
    {"end of sequence flow not found", "a list is not closed before here", "is a ']' missing?"},
    {"end of map flow not found", "a map is not closed before here", "is a '}' missing?"},
    {"illegal flow end", "a list or map is closed by the wrong bracket",
     "is a ']' or '}' missing?"},
    {"illegal map value", "a ':' too many", "quote a value with ': ' in it"},
    {"illegal block entry", "a '-' where no list item can be", "check the indentation"},
    {"illegal EOF in scalar", "a quote is not closed", "is a closing quote missing?"},
    {"unknown escape character", "a '\\' before a character that needs none",
     "use single quotes, or write \\\\"},
    {"unknown token", "a character that cannot begin a value", "quote the value"},
    {"alias not found after *", "'*' without the name of an anchor", ""},
    {"the referenced anchor is not defined", "an alias of an anchor that does not exist", ""},
};

const Wording* find_wording(std::string_view problem) {
  for (const Wording& wording : kWordings) {
    if (problem.starts_with(wording.parser)) return &wording;
  }
  return nullptr;
}

}  // namespace

Complaint explain_syntax_error(std::string_view text, Mark mark, std::string_view problem) {
  if (problem.starts_with("illegal map value") &&
      after_a_lone_key(line_of(text, mark.line), mark)) {
    problem = "end of map not found";  // the line before swallowed the key
  }
  const Wording* wording = find_wording(problem);
  const std::string_view message = wording == nullptr ? problem : wording->message;
  std::string hint;
  const bool bracket = problem.find("flow") != std::string_view::npos;
  if (mark.line != 0 && !bracket) hint = hint_for(line_of(text, mark.line));
  if (hint.empty() && wording != nullptr) hint = wording->hint;
  return {"not valid YAML: " + std::string(message), std::move(hint)};
}

}  // namespace berth::config
