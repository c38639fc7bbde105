#include "proxy/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "proxy/config/foreign.h"
#include "proxy/config/utf8.h"
#include "proxy/config/yaml_hints.h"

namespace berth::config {
namespace {

Mark to_mark(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<uint32_t>(mark.line) + 1, static_cast<uint32_t>(mark.column) + 1};
}

Mark mark_at(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<uint32_t>(lines) + 1, static_cast<uint32_t>(offset - line_start) + 1};
}

// Ends the parse from inside a callback: the parser has no other way to stop.
struct Refused {
  Mark mark;
  Complaint complaint;
};

// Builds the nodes from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::deque<YamlNode>& nodes) : nodes_(nodes) {}

  const YamlNode* root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      throw Refused{to_mark(mark), {"a second YAML document", "a configuration is one document"}};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    // The parser's mark is where the next thing begins, maybe lines below: the key is nearer.
    const bool is_value = !open_.empty() && open_.back()->kind == YamlNode::Kind::Map &&
                          open_.back()->children.size() % 2 == 1;
    const Mark near = is_value ? open_.back()->children.back()->mark : to_mark(mark);
    place(add(YamlNode::Kind::Null, near, anchor));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{to_mark(mark), {"unknown anchor", {}}};
    for (const YamlNode* open : open_) {
      if (open == found->second) {
        throw Refused{to_mark(mark), {"an anchor that contains an alias of itself", {}}};
      }
    }
    place(found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    YamlNode* node = add(YamlNode::Kind::Scalar, to_mark(mark), anchor);
    node->plain = tag == "?";
    node->text = value;
    place(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    refuse_tag(mark, tag);
    open(add(YamlNode::Kind::List, to_mark(mark), anchor));
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    refuse_tag(mark, tag);
    open(add(YamlNode::Kind::Map, to_mark(mark), anchor));
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    throw Refused{to_mark(mark),
                  {"the tag " + in_quotes(tag) + " means nothing here",
                   "if it is part of the value, quote the value"}};
  }

  YamlNode* add(YamlNode::Kind kind, Mark mark, YAML::anchor_t anchor) {
    if (nodes_.size() >= YamlTree::kMaxNodes) {
      throw Refused{mark, {"too many values", "at most " + std::to_string(YamlTree::kMaxNodes)}};
    }
    YamlNode& node = nodes_.emplace_back();
    node.kind = kind;
    node.mark = mark;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    return &node;
  }

  // Gives the node to the innermost open list or map.
  void place(const YamlNode* node) {
    if (open_.empty()) {
      root_ = node;
    } else {
      open_.back()->children.push_back(node);
    }
  }

  void open(YamlNode* node) {
    if (open_.size() >= YamlTree::kMaxDepth) {
      throw Refused{
          node->mark,
          {"nested too deeply", "at most " + std::to_string(YamlTree::kMaxDepth) + " levels"}};
    }
    place(node);
    open_.push_back(node);
  }

  std::deque<YamlNode>& nodes_;
  std::vector<YamlNode*> open_;  // outermost first
  std::unordered_map<YAML::anchor_t, YamlNode*> anchors_;
  const YamlNode* root_ = nullptr;
  int documents_ = 0;
};

bool complain_if_foreign(std::string_view text, Diagnostics& diagnostics) {
  std::optional<Foreign> foreign = recognise_foreign(text);
  if (!foreign) return false;
  diagnostics.error({foreign->line, 1}, std::move(foreign->complaint));
  return true;
}

}  // namespace

std::string_view describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return "nothing";
    case YamlNode::Kind::Scalar:
      return "a single value";
    case YamlNode::Kind::List:
      return "a list";
    case YamlNode::Kind::Map:
      return "a map";
  }
  return "";
}

YamlTree::YamlTree(std::string_view text, Diagnostics& diagnostics) {
  if (text.size() > kMaxBytes) {
    diagnostics.error({}, "the file is too large", "at most 1MiB");
    return;
  }
  if (const size_t good = utf8_prefix(text); good != text.size()) {
    diagnostics.error(mark_at(text, good), "not a text file", "a configuration is UTF-8");
    return;
  }
  Builder builder(nodes_);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
    root_ = builder.root();
    const bool lines = root_ != nullptr && root_->kind == YamlNode::Kind::Scalar;
    if (lines && complain_if_foreign(text, diagnostics)) root_ = nullptr;
  } catch (const Refused& refused) {
    diagnostics.error(refused.mark, refused.complaint);
  } catch (const YAML::Exception& e) {
    if (complain_if_foreign(text, diagnostics)) return;
    const Mark mark = to_mark(e.mark);
    diagnostics.error(mark, explain_syntax_error(text, mark, e.msg));
  } catch (const std::exception& e) {
    diagnostics.error({}, std::string("not readable as YAML: ") + e.what());
  }
}

}  // namespace berth::config
