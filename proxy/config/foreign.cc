#include "proxy/config/foreign.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace berth::config {
namespace {

std::string_view trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
}

template <size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// "proxy_pass http://app;", "server {", "location / {"
bool is_nginx(std::string_view line, std::string_view word) {
  static constexpr std::string_view kBlocks[] = {"http", "server", "location", "upstream",
                                                 "events"};
  static constexpr std::string_view kLines[] = {"listen", "server_name", "proxy_pass", "server",
                                                "worker_processes"};
  return (line.ends_with('{') && is_one_of(word, kBlocks)) ||
         (line.ends_with(';') && is_one_of(word, kLines));
}

// "reverse_proxy localhost:3000", "example.com {"
bool is_caddy(std::string_view line, std::string_view word, bool indented) {
  static constexpr std::string_view kLines[] = {"reverse_proxy", "file_server", "tls", "encode"};
  const bool has_value = line.size() > word.size();
  return (has_value && is_one_of(word, kLines)) ||
         (line.ends_with(" {") && !indented && line.front() != '-' &&
          line.find(':') == std::string_view::npos);
}

// "frontend www", "backend app"; at the beginning of the line
bool is_haproxy(std::string_view line, std::string_view word) {
  static constexpr std::string_view kSections[] = {"global", "defaults"};
  static constexpr std::string_view kNamed[] = {"frontend", "backend", "listen"};
  return (line == word && is_one_of(word, kSections)) ||
         (line.size() > word.size() && is_one_of(word, kNamed));
}

std::string_view whose(std::string_view raw) {
  const std::string_view line = trimmed(raw);
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  if (line.empty() || line.front() == '#' || word.find(':') != std::string_view::npos) return {};
  if (is_nginx(line, word)) return "nginx";
  const bool indented = raw.front() != line.front();
  if (!indented && is_haproxy(line, word)) return "HAProxy";
  if (is_caddy(line, word, indented)) return "Caddy";
  return {};
}

}  // namespace

std::optional<Foreign> recognise_foreign(std::string_view text) {
  for (uint32_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view owner = whose(text.substr(0, end));
    if (!owner.empty()) {
      return Foreign{{"this is a configuration of " + std::string(owner) + ", and Berth's is YAML",
                      "berth help run shows a short one; docs/comparison.md has the settings side "
                      "by side"},
                     number};
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::nullopt;
}

}  // namespace berth::config
