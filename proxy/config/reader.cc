#include "proxy/config/reader.h"

#include <algorithm>
#include <unordered_map>

#include "proxy/config/key_hints.h"
#include "proxy/config/suggest.h"
#include "proxy/config/text_rules.h"

namespace berth::config {
namespace {

// Entries and items looked at in all. Aliases can make a small file look large: this bounds the
// work.
constexpr size_t kMaxVisited = 50'000;
// Keys of one map, those that it merges included. Looking one up takes time in proportion.
constexpr size_t kMaxKeys = 1'000;

bool is_merge_key(const YamlNode& key) {
  return key.kind == YamlNode::Kind::Scalar && key.plain && key.text == "<<";
}

}  // namespace

std::string Reader::here() const {
  return path_.empty() ? std::string() : " in " + path_;
}

bool Reader::may_visit(const YamlNode& node) {
  if (++visited_ <= kMaxVisited) return true;
  if (visited_ == kMaxVisited + 1) {
    diagnostics_.error(node.mark, "too many values, counting those behind aliases",
                       "at most " + std::to_string(kMaxVisited));
  }
  return false;
}

const YamlNode* Reader::take(std::string_view key) {
  Frame& frame = frames_.back();
  frame.known.push_back(key);
  for (Entry& entry : frame.entries) {
    if (entry.key->text != key) continue;
    entry.taken = true;
    return entry.value;
  }
  return nullptr;
}

const YamlNode* Reader::take_scalar(std::string_view key) {
  const YamlNode* node = take(key);
  if (node == nullptr || !is_scalar(key, *node)) return nullptr;
  places_.emplace(path_.empty() ? std::string(key) : path_ + '.' + std::string(key), node->mark);
  return node;
}

bool Reader::is_scalar(std::string_view key, const YamlNode& node) {
  if (node.kind == YamlNode::Kind::Scalar) return true;
  if (node.kind == YamlNode::Kind::Null) {
    diagnostics_.error(node.mark, std::string(key) + " has no value" + here(),
                       "leave the key out for its default");
  } else {
    diagnostics_.error(node.mark, std::string(key) + here() + " must be a single value, not " +
                                      std::string(describe(node)));
  }
  return false;
}

bool Reader::is_map(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::Map) return true;
  if (node.kind == YamlNode::Kind::Null) return false;  // a section whose keys are all left out
  const std::string what = path_.empty() ? "the configuration" : path_;
  diagnostics_.error(node.mark, what + " must be a map, not " + std::string(describe(node)),
                     map_hint(node));
  return false;
}

// How what `node` says would be a map.
std::string Reader::map_hint(const YamlNode& node) const {
  if (node.kind == YamlNode::Kind::Scalar) {
    if (path_.empty() && node.text.find('{') != std::string::npos) {
      return "Berth's configuration is YAML: lines of 'key: value'";
    }
    const size_t colon = node.text.find(':');
    const bool glued = colon != std::string::npos && colon != 0 && colon + 1 < node.text.size();
    if (!glued) return "write 'key: value' lines below it";
    return "YAML needs a space after the colon: '" + node.text.substr(0, colon) + ": " +
           node.text.substr(colon + 1, 40) + "'";
  }
  if (node.children.empty() || node.children.front()->kind != YamlNode::Kind::Map) return {};
  const YamlNode& first = *node.children.front();
  const bool named = first.children.size() >= 2 && first.children[0]->text == "name" &&
                     first.children[1]->kind == YamlNode::Kind::Scalar;
  if (!named) return "leave out the '-'";
  const std::string name = first.children[1]->text.substr(0, 40);
  return "write '" + name + ":' for '- name: " + name + "'";
}

bool Reader::is_off(const YamlNode& node) {
  return node.kind == YamlNode::Kind::Scalar && node.text == "off";
}

// For a single value that is not `off` where only a map or `off` can be.
void Reader::neither_map_nor_off(const YamlNode& node) {
  static constexpr std::string_view kOffs[] = {"off", "false", "no", "none", "disabled"};
  const std::string& text = node.text;
  std::string hint = "write 'key: value' lines below it";
  if (path_ == "admin" && text.find(':') != std::string::npos) {
    hint = "did you mean {address: " + text + "}?";
  } else if (path_ == "access_log" && (text == "json" || text == "combined")) {
    hint = "did you mean {format: " + text + "}?";
  } else if (path_ == "access_log" && text.starts_with('/')) {
    hint = "did you mean {path: " + text + "}?";
  } else if (path_.ends_with(".sticky") && text != "on" && text != "true") {
    hint = "did you mean {cookie: " + text + "}?";
  } else if (text != "on" && !nearest(text, kOffs).empty()) {
    hint = "did you mean off?";
  }
  diagnostics_.error(node.mark, path_ + " must be a map or off, not " + in_quotes(text),
                     std::move(hint));
}

std::vector<const YamlNode*> Reader::items(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::Null) return {};
  if (node.kind != YamlNode::Kind::List) {
    const bool single = node.kind == YamlNode::Kind::Scalar;
    diagnostics_.error(
        node.mark, path_ + " must be a list, not " + std::string(describe(node)),
        single ? "did you mean [" + node.text.substr(0, 40) + "]?" : "begin each item with '- '");
    return {};
  }
  std::vector<const YamlNode*> out;
  for (const YamlNode* item : node.children) {
    if (!may_visit(*item)) break;
    out.push_back(item);
  }
  return out;
}

std::vector<Reader::Entry> Reader::entries_of(const YamlNode& node) {
  std::vector<Entry> out;
  if (is_map(node)) add_entries(node, out);
  return out;
}

// The map's own entries, then those of its merge keys ("<<") that it does not have itself.
void Reader::add_entries(const YamlNode& node, std::vector<Entry>& out) {
  std::unordered_map<std::string_view, Mark> own;
  std::vector<const YamlNode*> merges;
  const size_t inherited_before = out.size();
  for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const YamlNode& key = *node.children[i];
    if (!may_visit(key)) return;
    if (out.size() >= kMaxKeys) {
      diagnostics_.error(key.mark, "too many keys" + here(), "at most " + std::to_string(kMaxKeys));
      return;
    }
    if (key.kind != YamlNode::Kind::Scalar) {
      const bool list = key.kind == YamlNode::Kind::List;
      diagnostics_.error(
          key.mark, "a key" + here() + " must be a name, not " + std::string(describe(key)),
          list ? "if this is an IPv6 address, quote it, such as \"[::1]:3000\"" : "");
      continue;
    }
    if (is_merge_key(key)) {
      merges.push_back(node.children[i + 1]);
      continue;
    }
    const auto [at, first] = own.emplace(key.text, key.mark);
    if (!first) {
      diagnostics_.error(key.mark, "duplicate key " + in_quotes(key.text) + here(),
                         "first on line " + std::to_string(at->second.line));
      continue;
    }
    const auto same = [&](const Entry& entry) { return entry.key->text == key.text; };
    const auto inherited_end = out.begin() + static_cast<std::ptrdiff_t>(inherited_before);
    if (std::none_of(out.begin(), inherited_end, same)) {
      out.push_back({&key, node.children[i + 1]});
    }
  }
  for (const YamlNode* source : merges) merge(*source, out);
}

void Reader::merge(const YamlNode& node, std::vector<Entry>& out) {
  if (node.kind == YamlNode::Kind::Map) {
    add_entries(node, out);
    return;
  }
  if (node.kind != YamlNode::Kind::List) {
    diagnostics_.error(node.mark, "'<<' merges a map, not " + std::string(describe(node)),
                       "such as '<<: *defaults'");
    return;
  }
  for (const YamlNode* item : items(node)) {
    if (item->kind == YamlNode::Kind::Map) {
      add_entries(*item, out);
    } else {
      diagnostics_.error(item->mark, "'<<' merges maps, not " + std::string(describe(*item)));
    }
  }
}

std::string Reader::check_name(const YamlNode& key) {
  const auto checked = check_text(key.text, TextKind::Label);
  if (!checked) diagnostics_.error(key.mark, checked.error());
  return key.text;
}

void Reader::report_unknown_keys(const Frame& frame) {
  for (const Entry& entry : frame.entries) {
    const std::string& key = entry.key->text;
    if (entry.taken) continue;
    if (path_.empty() && key.starts_with("x-")) continue;  // a place for anchors
    diagnostics_.error(
        entry.key->mark, "unknown key " + in_quotes(key) + here(),
        diagnostics_.full() ? std::string() : unknown_key_hint(key, path_, frame.known));
  }
}

}  // namespace berth::config
