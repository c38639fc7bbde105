// Fills configuration structs from a YAML tree: a visitor over the schema.
//
// Every mistake is reported where it stands and leaves the default in place, so that one pass finds
// them all. What contradicts what is checked afterwards (validate.h), with the places kept here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/diagnostics.h"
#include "proxy/config/schema.h"
#include "proxy/config/validate.h"
#include "proxy/config/yaml_tree.h"

namespace berth::config {

struct NumberFormat;  // of a count, a size or a rate

class Reader {
 public:
  Reader(Diagnostics& diagnostics, Places& places) : diagnostics_(diagnostics), places_(places) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void read(const YamlNode& root, Config& config) { read_map(root, config); }

  // The schema's visitor interface. Each looks its key up in the innermost map.
  void boolean(std::string_view key, bool& out);
  void duration(std::string_view key, Duration& out, const DurationBounds& bounds);
  // Or the keyword, which is none.
  void duration_or(std::string_view key, std::optional<Duration>& out, const DurationBounds& bounds,
                   const Keyword& keyword);
  void count(std::string_view key, uint32_t& out, const NumberBounds& bounds,
             const Keyword* keyword = nullptr);
  void size(std::string_view key, uint64_t& out, const NumberBounds& bounds,
            const Keyword* keyword = nullptr);
  void rate(std::string_view key, uint64_t& out, const NumberBounds& bounds,
            const Keyword& keyword);
  void mode(std::string_view key, uint32_t& out);
  // A port, `off` (0) or `on` (`usual`).
  void port_or_off(std::string_view key, uint32_t& out, uint32_t usual);
  void text(std::string_view key, std::string& out, TextKind kind);
  void address(std::string_view key, Endpoint& out, TextKind kind);
  void texts(std::string_view key, std::vector<std::string>& out, TextKind kind);
  // A list whose default is not empty: what is written replaces it.
  void texts_or_default(std::string_view key, std::vector<std::string>& out, TextKind kind);
  void pairs(std::string_view key, std::vector<std::pair<std::string, std::string>>& out);

  template <class E, size_t N>
  void choice(std::string_view key, E& out, const std::array<Choice<E>, N>& choices) {
    std::array<std::string_view, N> names;
    for (size_t i = 0; i < N; ++i) names[i] = choices[i].name;
    if (const auto index = choice_index(key, names)) out = choices[*index].value;
  }

  template <class T>
  void section(std::string_view key, T& out) {
    if (const YamlNode* node = take(key)) at(key, *node, [&] { read_map(*node, out); });
  }

  // A section that may be `off`.
  template <class T>
  void switchable(std::string_view key, T& out) {
    const YamlNode* node = take(key);
    if (node == nullptr) return;
    at(key, *node, [&] {
      if (is_off(*node)) {
        turn_off(out);
      } else if (node->kind == YamlNode::Kind::Scalar) {
        neither_map_nor_off(*node);
      } else {
        if (node->kind == YamlNode::Kind::Map) turn_on(out);
        read_map(*node, out);
      }
    });
  }

  template <class T>
  void list(std::string_view key, std::vector<T>& out) {
    const YamlNode* node = take(key);
    if (node == nullptr) return;
    at(key, *node, [&] {
      for (const YamlNode* item : items(*node)) {
        at_index(out.size(), *item, [&] { read_item(*item, out.emplace_back()); });
      }
    });
  }

  // A map from names to objects that have a `name`.
  template <class T>
  void named(std::string_view key, std::vector<T>& out) {
    const YamlNode* node = take(key);
    if (node == nullptr) return;
    at(key, *node, [&] {
      for (const Entry& entry : entries_of(*node)) {
        T& item = out.emplace_back();
        item.name = check_name(*entry.key);
        at(item.name, *entry.key, [&] { read_map(*entry.value, item); });
      }
    });
  }

 private:
  struct Entry {
    const YamlNode* key;
    const YamlNode* value;
    bool taken = false;
  };

  // A map that is being read: its entries and the keys that the schema has asked for so far.
  struct Frame {
    std::vector<Entry> entries;
    std::vector<std::string_view> known;
  };

  template <class T>
  void read_map(const YamlNode& node, T& out) {
    if (!is_map(node)) return;
    frames_.push_back({entries_of(node), {}});
    visit_keys(*this, out);
    report_unknown_keys(frames_.back());
    frames_.pop_back();
  }

  template <class T>
  void read_item(const YamlNode& node, T& out) {
    read_map(node, out);
  }
  // A server is most often just its address.
  void read_item(const YamlNode& node, Server& out);

  // Runs `body` with `key` appended to the path.
  template <class F>
  void at(std::string_view key, const YamlNode& node, F&& body) {
    const size_t length = path_.size();
    if (length != 0) path_ += '.';
    path_ += key;
    places_.emplace(path_, node.mark);
    body();
    path_.resize(length);
  }
  template <class F>
  void at_index(size_t index, const YamlNode& node, F&& body) {
    const size_t length = path_.size();
    path_ += '[' + std::to_string(index) + ']';
    places_.emplace(path_, node.mark);
    body();
    path_.resize(length);
  }

  // The value of `key` in the innermost map, or nullptr.
  const YamlNode* take(std::string_view key);
  // The same for a key that needs a single value: anything else is reported.
  const YamlNode* take_scalar(std::string_view key);
  bool is_scalar(std::string_view key, const YamlNode& node);
  bool is_map(const YamlNode& node);
  std::string map_hint(const YamlNode& node) const;
  static bool is_off(const YamlNode& node);
  void neither_map_nor_off(const YamlNode& node);
  std::vector<const YamlNode*> items(const YamlNode& node);
  std::vector<Entry> entries_of(const YamlNode& node);
  void add_entries(const YamlNode& node, std::vector<Entry>& out);
  void merge(const YamlNode& node, std::vector<Entry>& out);
  std::string check_name(const YamlNode& key);
  void checked_text(std::string_view key, const YamlNode& node, TextKind kind, std::string& out);
  void checked_address(std::string_view key, const YamlNode& node, TextKind kind, Endpoint& out);
  std::optional<size_t> choice_index(std::string_view key, std::span<const std::string_view> names);
  std::optional<uint64_t> number(std::string_view key, const NumberBounds& bounds,
                                 const Keyword* keyword, const NumberFormat& format);
  std::optional<Duration> duration_value(std::string_view key, const YamlNode& node,
                                         const DurationBounds& bounds, const Keyword* keyword);
  void report_unknown_keys(const Frame& frame);
  bool may_visit(const YamlNode& node);
  std::string here() const;  // " in upstreams.app.pool", or "" at the top

  Diagnostics& diagnostics_;
  Places& places_;
  std::vector<Frame> frames_;
  std::string path_;
  size_t visited_ = 0;
};

}  // namespace berth::config
