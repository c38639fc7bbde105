#include "proxy/server/config_reference.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "proxy/base/letter_case.h"
#include "proxy/config/schema.h"
#include "proxy/config/suggest.h"
#include "proxy/config/units.h"
#include "proxy/server/cli_help.h"
#include "proxy/server/explained_file.h"

namespace berth::server {
namespace {

using config::DurationBounds;
using config::Keyword;
using config::NumberBounds;
using config::TextKind;

std::string_view text_values(TextKind kind) {
  switch (kind) {
    case TextKind::Label:
      return "a name without spaces";
    case TextKind::ListenAddress:
      return "an address to listen on";
    case TextKind::AdminAddress:
      return "an address to listen on, or `off`";
    case TextKind::ServerAddress:
      return "an address";
    case TextKind::LogPath:
      return "an absolute path, or `-`";
    case TextKind::LogTemplate:
      return "text with `{fields}`";
    case TextKind::Host:
      return "a host name, `*.` and a host name, or `*`";
    case TextKind::PathPrefix:
      return "a path";
    case TextKind::UpstreamName:
      return "the name of an upstream";
    case TextKind::Network:
      return "IP address or block";
    case TextKind::HeaderName:
      return "name of a header field";
    case TextKind::FieldPattern:
      return "name of a header field, or its beginning and `*`";
    case TextKind::HeaderValue:
      return "a header field's value";
    case TextKind::HashName:
      return "the name of a header field or cookie";
    case TextKind::CookieName:
      return "the name of a cookie, or `off`";
    case TextKind::CookiePath:
      return "a path";
    case TextKind::File:
      return "the name of a file";
    case TextKind::Folder:
      return "the absolute path of a folder";
    case TextKind::ServerName:
      return "a host name";
    case TextKind::Ciphers:
      return "OpenSSL's names, with colons between them";
    case TextKind::CheckTarget:
      return "a path, with or without a query";
    case TextKind::CheckHost:
      return "a host, or `auto`";
    case TextKind::StatusRange:
      return "status or range of them";
    case TextKind::HostName:
      return "host name";
    case TextKind::Nameserver:
      return "IP address with a port";
  }
  return {};
}

std::string quoted(std::string_view word) {
  return "`" + std::string(word) + "`";
}
std::string between(const std::string& what, const std::string& min, const std::string& max) {
  return what + " from " + min + " to " + max;
}

// A visitor of the schema that lists its keys. It fills each list and map with one element, to come
// by the keys inside.
class Lister {
 public:
  std::vector<KeyReference> take() { return std::move(out_); }

  void boolean(std::string_view key, bool& /*value*/) { add(key, "`true` or `false`"); }
  void duration(std::string_view key, Duration& /*value*/, const DurationBounds& bounds) {
    add(key, times(bounds));
  }
  void duration_or(std::string_view key, std::optional<Duration>& /*value*/,
                   const DurationBounds& bounds, const Keyword& keyword) {
    add(key, quoted(keyword.word) + ", or " + times(bounds));
  }
  void count(std::string_view key, uint32_t& /*value*/, const NumberBounds& bounds,
             const Keyword* keyword = nullptr) {
    add(key, or_word(keyword,
                     between("a number", std::to_string(bounds.min), std::to_string(bounds.max))));
  }
  void size(std::string_view key, uint64_t& /*value*/, const NumberBounds& bounds,
            const Keyword* keyword = nullptr) {
    add(key, or_word(keyword, between("a size", config::format_size(bounds.min),
                                      config::format_size(bounds.max))));
  }
  void rate(std::string_view key, uint64_t& /*value*/, const NumberBounds& bounds,
            const Keyword& keyword) {
    add(key, or_word(&keyword, between("a rate", config::format_rate(bounds.min),
                                       config::format_rate(bounds.max))));
  }
  void mode(std::string_view key, uint32_t& /*value*/) { add(key, "permissions in octal"); }
  void port_or_off(std::string_view key, uint32_t& /*value*/, uint32_t usual) {
    add(key, "`off`, `on` (" + std::to_string(usual) + ") or a port");
  }
  void text(std::string_view key, std::string& /*value*/, TextKind kind) {
    add(key, std::string(text_values(kind)));
  }
  void address(std::string_view key, config::Endpoint& /*value*/, TextKind kind) {
    add(key, std::string(text_values(kind)));
  }
  void texts(std::string_view key, std::vector<std::string>& /*value*/, TextKind kind) {
    add(key, "a list: " + std::string(text_values(kind)));
  }
  void texts_or_default(std::string_view key, std::vector<std::string>& value, TextKind kind) {
    texts(key, value, kind);
  }
  void pairs(std::string_view key, std::vector<std::pair<std::string, std::string>>& /*value*/) {
    add(key, "a map of names to values");
  }
  template <class E, size_t N>
  void choice(std::string_view key, E& /*value*/, const std::array<config::Choice<E>, N>& choices) {
    std::string words;
    for (size_t i = 0; i < N; ++i) {
      if (i != 0) words += i + 1 == N ? " or " : ", ";
      words += quoted(choices[i].name);
    }
    add(key, words);
  }
  template <class T>
  void section(std::string_view key, T& value) {
    inside(key, "", "a section", value);
  }
  template <class T>
  void switchable(std::string_view key, T& value) {
    inside(key, "", "a section, or `off`", value);
  }
  template <class T>
  void list(std::string_view key, std::vector<T>& /*values*/) {
    T item{};
    inside(key, "[]", "a list of sections", item);
  }
  template <class T>
  void named(std::string_view key, std::vector<T>& /*values*/) {
    T item{};
    inside(key, ".NAME", "named sections", item);
  }

 private:
  static std::string times(const DurationBounds& bounds) {
    return between("a time", config::format_duration(bounds.min),
                   config::format_duration(bounds.max));
  }
  static std::string or_word(const Keyword* keyword, const std::string& rest) {
    return keyword == nullptr ? rest : quoted(keyword->word) + ", or " + rest;
  }

  KeyReference& add(std::string_view key, std::string values) {
    KeyReference& added = out_.emplace_back();
    added.path = prefix_ + std::string(key);
    added.values = std::move(values);
    return added;
  }
  template <class T>
  void inside(std::string_view key, std::string_view suffix, std::string values, T& value) {
    add(key, std::move(values)).is_section = true;
    const size_t length = prefix_.size();
    prefix_ += std::string(key) + std::string(suffix) + ".";
    visit_keys(*this, value);
    prefix_.resize(length);
  }

  std::vector<KeyReference> out_;
  std::string prefix_;
};

// The section that a path is in, and the last part of a path.
std::string parent_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  std::string parent = dot == std::string::npos ? std::string() : path.substr(0, dot);
  for (const std::string_view suffix : {"[]", ".NAME"}) {
    if (parent.ends_with(suffix)) parent.resize(parent.size() - suffix.size());
  }
  return parent;
}
std::string last_of(const std::string& path) {
  return path.substr(path.rfind('.') + 1);
}

// "idle" of every "tcp_keepalive" means the same: the first one that is explained speaks for all.
std::string text_from_sibling(const std::vector<KeyReference>& keys, const KeyReference& key) {
  const std::string tail = "." + last_of(parent_of(key.path)) + "." + last_of(key.path);
  for (const KeyReference& other : keys) {
    if (!other.text.empty() && other.path.ends_with(tail)) return other.text;
  }
  return {};
}

bool ends_in(std::string_view path, std::string_view key) {
  return path == key || path.ends_with("." + std::string(key));
}

// Text of a cell in a table: nothing in it is markup but what is within backquotes.
std::string cell(std::string_view text) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (c == '|' || (!code && (c == '*' || c == '<' || c == '['))) out += '\\';
    out += c;
  }
  return out;
}

// The anchor that Markdown gives to a heading with this path.
std::string anchor(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      out += to_lower(c);
    }
  }
  return out;
}

std::string without_code(std::string text) {
  std::erase(text, '`');
  return text;
}

// "upstreams.NAME.pool.max_idle: 32".
std::string in_short(const KeyReference& key) {
  return key.path + (key.initial.empty() ? "" : ": " + key.initial) + '\n';
}

// What the terminal shows of one key: for a section, its keys as well.
std::string at_length(const KeyReference& key, const std::vector<KeyReference>& keys) {
  std::string out = key.path + "\n  " + wrapped(without_code(key.text), 2);
  out += "  Values: " + wrapped(without_code(key.values), 10);
  if (!key.initial.empty()) out += "  Default: " + key.initial + '\n';
  if (!key.is_section) return out;
  out += "  Keys:\n";
  for (const KeyReference& inside : keys) {
    if (parent_of(inside.path) == key.path) out += "    " + in_short(inside);
  }
  return out;
}

constexpr std::string_view kPreface = R"(# Configuration reference

Every key, with the values that it takes and its default. `berth help config KEY` prints the same for one key,
[conf/berth.yaml](../conf/berth.yaml) has all of them in one file, each at its default, and [conf/examples/](../conf/examples)
shows short files for common cases.

- What you leave out is at its default. A file needs only a listener and an upstream.
- Times have a unit: `250ms`, `75s`, `5m`, `1h`, `30d`, `1h30m`. So do sizes (`512B`, `64KiB`, `1MiB`, `2GiB`) and rates (`240B/s`).
- Addresses are `127.0.0.1:3000`, `"[::1]:3000"`, `app.internal:3000` or `unix:/run/app.sock`. To listen, also `:8080`, which means
  every address of this machine.
- Where a section can be `off`, `SECTION: off` is short for `SECTION: {enabled: false}`.
- Unknown keys, wrong types and contradictions are errors with file, line, column and the nearest right name.
  `berth check -c FILE` finds all of them at once.
- Berth ignores keys at the top that begin with `x-`: a place for YAML anchors.

This page is generated: `make docs` writes it from the schema and from the comments in conf/berth.yaml.
)";

void add_table(const std::vector<KeyReference>& keys, const std::string& section,
               std::string& out) {
  out += "\n| key | values | default | |\n|---|---|---|---|\n";
  for (const KeyReference& key : keys) {
    if (parent_of(key.path) != section) continue;
    std::string name = quoted(last_of(key.path));
    if (key.is_section) name = "[" + name + "](#" + anchor(key.path) + ")";
    const std::string initial = key.initial.empty() ? std::string() : quoted(key.initial);
    const std::string text = key.is_section ? std::string() : cell(key.text);
    out += "| " + name + " | " + cell(key.values) + " | " + cell(initial) + " | " + text + " |\n";
  }
}

}  // namespace

std::vector<KeyReference> config_reference() {
  Lister lister;
  config::Config config;
  config::visit_keys(lister, config);
  std::vector<KeyReference> keys = lister.take();
  const auto explained = explanations(explained_file());
  for (KeyReference& key : keys) {
    const auto found = explained.find(key.path);
    if (found == explained.end()) continue;
    key.text = found->second.comment;
    if (!key.is_section) key.initial = found->second.value;
  }
  for (KeyReference& key : keys) {
    const std::string section = last_of(parent_of(key.path));
    if (key.text.empty()) key.text = text_from_sibling(keys, key);
    if (key.text.empty() && last_of(key.path) == "enabled") {
      key.text = "Whether `" + section + "` is on.";
    } else if (key.text.empty()) {
      key.text = "See `" + section + "`.";
    }
  }
  return keys;
}

std::string config_help(std::string_view key) {
  const std::vector<KeyReference> keys = config_reference();
  std::string out;
  for (const KeyReference& found : keys) {
    if (key.empty()) {
      out += in_short(found);
    } else if (ends_in(found.path, key)) {
      out += (out.empty() ? "" : "\n") + at_length(found, keys);
    }
  }
  return out;
}

std::string nearest_key(std::string_view key) {
  const std::vector<KeyReference> keys = config_reference();
  std::vector<std::string> names;
  for (const KeyReference& known : keys) {
    names.push_back(last_of(known.path));
    names.push_back(known.path);
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return std::string(config::nearest(key, candidates));
}

std::string config_markdown() {
  const std::vector<KeyReference> keys = config_reference();
  std::string out(kPreface);
  out += "\n## The top level\n";
  add_table(keys, "", out);
  for (const KeyReference& key : keys) {
    if (!key.is_section) continue;
    const bool at_top = key.path.find('.') == std::string::npos;
    out += "\n" + std::string(at_top ? "## " : "### ") + quoted(key.path) + "\n\n" +
           cell(key.text) + "\n";
    add_table(keys, key.path, out);
  }
  return out;
}

}  // namespace berth::server
