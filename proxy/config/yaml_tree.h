// A YAML document as a tree of nodes that know their place. Reading it is the only thing that
// yaml-cpp is used for; nothing else includes it.
//
// Aliases share the node of their anchor, so the tree is a graph without cycles: an anchor that
// contains itself is an error, as are a document that nests too deeply and one with too many nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/diagnostics.h"

namespace berth::config {

struct YamlNode {
  enum class Kind : uint8_t { Null, Scalar, List, Map };

  Kind kind = Kind::Null;
  bool plain = false;  // a scalar without quotes
  Mark mark;
  std::string text;                       // of a scalar
  std::vector<const YamlNode*> children;  // list: items; map: key, value, key, value, ...
};

// What a message calls the kind of a node: "a map", "a list", ...
std::string_view describe(const YamlNode& node);

class YamlTree {
 public:
  static constexpr size_t kMaxBytes = 1024 * 1024;
  static constexpr size_t kMaxNodes = 100'000;
  static constexpr size_t kMaxDepth = 32;

  // Parses `text`, which must hold one document or none. Syntax errors go to `diagnostics`; the
  // tree then has no root. Never throws on any input.
  YamlTree(std::string_view text, Diagnostics& diagnostics);
  YamlTree(const YamlTree&) = delete;
  YamlTree& operator=(const YamlTree&) = delete;

  // Null: the document is empty or wrong. Nodes live as long as the tree.
  const YamlNode* root() const { return root_; }

 private:
  std::deque<YamlNode> nodes_;
  const YamlNode* root_ = nullptr;
};

}  // namespace berth::config
