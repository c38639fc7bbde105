// The single values of Reader: durations, sizes, counts, words and texts.
#include <algorithm>

#include "proxy/config/reader.h"
#include "proxy/config/suggest.h"
#include "proxy/config/text_rules.h"
#include "proxy/config/units.h"

namespace berth::config {

struct NumberFormat {
  Result<uint64_t, Complaint> (*parse)(std::string_view text);
  std::string (*format)(uint64_t value);
};

namespace {

constexpr NumberFormat kCount{parse_count, [](uint64_t value) { return std::to_string(value); }};
constexpr NumberFormat kSize{parse_size, format_size};
constexpr NumberFormat kRate{parse_rate, format_rate};

std::string one_of(std::span<const std::string_view> names) {
  std::string out = "one of ";
  for (size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  return out;
}

// "key: complaint", with the hint that there is a keyword if the complaint has none of its own.
Complaint about(std::string_view key, Complaint complaint, const Keyword* keyword = nullptr) {
  complaint.message = std::string(key) + ": " + complaint.message;
  if (keyword != nullptr) {
    const bool certain = complaint.hint.ends_with('?');
    if (!certain) complaint.hint += ", or " + std::string(keyword->word);
  }
  return complaint;
}

std::string out_of_range(std::string_view key, const std::string& text, const std::string& min,
                         const std::string& max) {
  return std::string(key) + ": " + in_quotes(text) + " is out of range, " + min + " to " + max;
}

}  // namespace

void Reader::boolean(std::string_view key, bool& out) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return;
  const auto value = parse_bool(node->text);
  if (value) {
    out = *value;
  } else {
    diagnostics_.error(node->mark, about(key, value.error()));
  }
}

std::optional<Duration> Reader::duration_value(std::string_view key, const YamlNode& node,
                                               const DurationBounds& bounds,
                                               const Keyword* keyword) {
  const bool zero = node.text == "0";  // the one number that needs no unit
  const auto value = zero ? Result<Duration, Complaint>(Duration(0)) : parse_duration(node.text);
  if (!value) {
    diagnostics_.error(node.mark, about(key, value.error(), keyword));
    return std::nullopt;
  }
  if (*value >= bounds.min && *value <= bounds.max) return *value;
  diagnostics_.error(
      node.mark,
      out_of_range(key, node.text, format_duration(bounds.min), format_duration(bounds.max)),
      *value < bounds.min ? std::string(bounds.below) : std::string());
  return std::nullopt;
}

void Reader::duration(std::string_view key, Duration& out, const DurationBounds& bounds) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return;
  if (const auto value = duration_value(key, *node, bounds, nullptr)) out = *value;
}

void Reader::duration_or(std::string_view key, std::optional<Duration>& out,
                         const DurationBounds& bounds, const Keyword& keyword) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return;
  if (node->text == keyword.word) {
    out.reset();
  } else if (const auto value = duration_value(key, *node, bounds, &keyword)) {
    out = *value;
  }
}

std::optional<uint64_t> Reader::number(std::string_view key, const NumberBounds& bounds,
                                       const Keyword* keyword, const NumberFormat& format) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return std::nullopt;
  if (keyword != nullptr && node->text == keyword->word) return keyword->value;
  const bool zero = node->text == "0";  // it needs no unit
  const auto value = zero ? Result<uint64_t, Complaint>(uint64_t{0}) : format.parse(node->text);
  if (!value) {
    diagnostics_.error(node->mark, about(key, value.error(), keyword));
    return std::nullopt;
  }
  if (*value >= bounds.min && *value <= bounds.max) return *value;
  diagnostics_.error(
      node->mark,
      out_of_range(key, node->text, format.format(bounds.min), format.format(bounds.max)),
      *value < bounds.min ? std::string(bounds.below) : std::string());
  return std::nullopt;
}

void Reader::count(std::string_view key, uint32_t& out, const NumberBounds& bounds,
                   const Keyword* keyword) {
  if (const auto value = number(key, bounds, keyword, kCount)) out = static_cast<uint32_t>(*value);
}

void Reader::size(std::string_view key, uint64_t& out, const NumberBounds& bounds,
                  const Keyword* keyword) {
  if (const auto value = number(key, bounds, keyword, kSize)) out = *value;
}

void Reader::rate(std::string_view key, uint64_t& out, const NumberBounds& bounds,
                  const Keyword& keyword) {
  if (const auto value = number(key, bounds, &keyword, kRate)) out = *value;
}

void Reader::mode(std::string_view key, uint32_t& out) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return;
  const auto value = parse_mode(node->text);
  if (value) {
    out = *value;
  } else {
    diagnostics_.error(node->mark, about(key, value.error()));
  }
}

void Reader::port_or_off(std::string_view key, uint32_t& out, uint32_t usual) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return;
  constexpr uint64_t kMostPort = 65535;
  const auto number = parse_count(node->text);
  if (node->text == "off" || node->text == "false") {
    out = 0;
  } else if (node->text == "on" || node->text == "true") {
    out = usual;
  } else if (number && *number >= 1 && *number <= kMostPort) {
    out = static_cast<uint32_t>(*number);
  } else {
    diagnostics_.error(node->mark, std::string(key) + ": " + in_quotes(node->text) + " is no port",
                       "a number from 1 to 65535, on (" + std::to_string(usual) + ") or off");
  }
}

std::optional<size_t> Reader::choice_index(std::string_view key,
                                           std::span<const std::string_view> names) {
  const YamlNode* node = take_scalar(key);
  if (node == nullptr) return std::nullopt;
  auto found = std::find(names.begin(), names.end(), node->text);
  // YAML's own words for on and off.
  if (found == names.end() && node->text == "true")
    found = std::find(names.begin(), names.end(), "on");
  if (found == names.end() && node->text == "false")
    found = std::find(names.begin(), names.end(), "off");
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  if (key == "balance" && node->text.find("hash") != std::string::npos) {
    diagnostics_.error(node->mark, "balance: unknown value " + in_quotes(node->text),
                       "balance: hash, with hash: {by: ...} beside it");
    return std::nullopt;
  }
  const std::string_view near = nearest(node->text, names);
  diagnostics_.error(node->mark, std::string(key) + ": unknown value " + in_quotes(node->text),
                     near.empty() ? one_of(names) : "did you mean " + std::string(near) + "?");
  return std::nullopt;
}

void Reader::checked_text(std::string_view key, const YamlNode& node, TextKind kind,
                          std::string& out) {
  auto checked = check_text(node.text, kind);
  if (checked) {
    out = std::move(*checked);
    return;
  }
  diagnostics_.error(node.mark, about(key, checked.error()));
  out = node.text;  // for the messages about what depends on it
}

void Reader::text(std::string_view key, std::string& out, TextKind kind) {
  if (const YamlNode* node = take_scalar(key)) checked_text(key, *node, kind, out);
}

void Reader::address(std::string_view key, Endpoint& out, TextKind kind) {
  if (const YamlNode* node = take_scalar(key)) checked_address(key, *node, kind, out);
}

void Reader::checked_address(std::string_view key, const YamlNode& node, TextKind kind,
                             Endpoint& out) {
  std::string written;
  checked_text(key, node, kind, written);
  out = std::move(written);
}

void Reader::texts(std::string_view key, std::vector<std::string>& out, TextKind kind) {
  const YamlNode* node = take(key);
  if (node == nullptr) return;
  at(key, *node, [&] {
    for (const YamlNode* item : items(*node)) {
      at_index(out.size(), *item, [&] {
        if (is_scalar("an item", *item)) checked_text(key, *item, kind, out.emplace_back());
      });
    }
  });
}

void Reader::texts_or_default(std::string_view key, std::vector<std::string>& out, TextKind kind) {
  std::vector<std::string> written;
  texts(key, written, kind);
  if (!written.empty()) {
    out = std::move(written);
    return;
  }
  const auto place = places_.find(path_ + '.' + std::string(key));
  if (place == places_.end() || diagnostics_.error_at(place->second)) return;
  if (kind == TextKind::FieldPattern) {  // none is an answer, too
    out.clear();
    return;
  }
  diagnostics_.error(place->second, std::string(key) + here() + " has no items",
                     "leave the key out for its default");
}

void Reader::pairs(std::string_view key, std::vector<std::pair<std::string, std::string>>& out) {
  const YamlNode* node = take(key);
  if (node == nullptr) return;
  at(key, *node, [&] {
    for (const Entry& entry : entries_of(*node)) {
      std::pair<std::string, std::string>& rule = out.emplace_back();
      std::string& name = rule.first;
      std::string& value = rule.second;
      checked_text(key, *entry.key, TextKind::HeaderName, name);
      at(name, *entry.key, [&] {
        if (entry.value->kind == YamlNode::Kind::Null) {
          diagnostics_.error(entry.value->mark, "header " + in_quotes(name) + " is set to nothing",
                             "for an empty value write \"\"");
        } else if (is_scalar(name, *entry.value)) {
          checked_text(name, *entry.value, TextKind::HeaderValue, value);
        }
      });
    }
  });
}

void Reader::read_item(const YamlNode& node, Server& out) {
  if (node.kind == YamlNode::Kind::Scalar) {
    checked_address("server", node, TextKind::ServerAddress, out.address);
  } else {
    read_map(node, out);
  }
}

}  // namespace berth::config
