#include "proxy/server/explained_file.h"

#include <algorithm>
#include <vector>

// The assembler reads the file when this source is compiled, in the top folder of the repository.
asm(R"(.pushsection .rodata
.global kBerthExplainedFileBegin
.global kBerthExplainedFileEnd
kBerthExplainedFileBegin:
.incbin "conf/berth.yaml"
kBerthExplainedFileEnd:
.byte 0
.popsection
)");

extern "C" {
extern const char kBerthExplainedFileBegin[];
extern const char kBerthExplainedFileEnd[];
}

namespace berth::server {
namespace {

// One line of the file, apart from its indentation.
struct Line {
  size_t indent;
  bool starts_item;  // "- " came before it
  std::string_view text;
};

Line split_line(std::string_view text) {
  Line line{std::min(text.find_first_not_of(' '), text.size()), false, {}};
  line.text = text.substr(line.indent);
  if (line.text.starts_with("- ")) {
    line.starts_item = true;
    line.indent += 2;
    line.text.remove_prefix(2);
  }
  return line;
}

// Follows the keys above the current one by their indentation.
class Place {
 public:
  // The path of a key that stands `indent` columns from the left.
  std::string enter(const Line& line, std::string_view key) {
    while (!above_.empty() && above_.back().indent >= line.indent) above_.pop_back();
    if (in_item_ && !above_.empty()) above_.back().is_list = true;
    in_item_ = false;
    std::string path;
    if (!above_.empty()) path = above_.back().path + (above_.back().is_list ? "[]." : ".");
    path += path == "upstreams." ? "NAME" : std::string(key);
    above_.push_back({line.indent, path, false});
    return path;
  }
  // The next key is the first one of a list's item.
  void start_item(const Line& line) {
    while (!above_.empty() && above_.back().indent >= line.indent) above_.pop_back();
    in_item_ = true;
  }

 private:
  struct Above {
    size_t indent;
    std::string path;
    bool is_list;
  };
  std::vector<Above> above_;
  bool in_item_ = false;
};

}  // namespace

std::string_view explained_file() {
  return {kBerthExplainedFileBegin,
          static_cast<size_t>(kBerthExplainedFileEnd - kBerthExplainedFileBegin)};
}

std::map<std::string, Explanation> explanations(std::string_view yaml) {
  std::map<std::string, Explanation> out;
  Place place;
  std::string comment;
  while (!yaml.empty()) {
    const size_t end = std::min(yaml.find('\n'), yaml.size());
    const Line line = split_line(yaml.substr(0, end));
    yaml.remove_prefix(std::min(end + 1, yaml.size()));
    if (line.starts_item) place.start_item(line);
    if (line.text.empty()) {
      comment.clear();  // it was about what is above the blank line
    } else if (line.text.starts_with('#')) {
      const std::string_view text = line.text.substr(std::min<size_t>(2, line.text.size()));
      if (!text.empty()) comment += (comment.empty() ? "" : " ") + std::string(text);
    } else if (const size_t colon = line.text.find(':'); colon != std::string_view::npos) {
      const std::string path = place.enter(line, line.text.substr(0, colon));
      const std::string_view value = line.text.substr(std::min(colon + 2, line.text.size()));
      out.emplace(path, Explanation{comment, std::string(value)});
      comment.clear();
    }
  }
  return out;
}

}  // namespace berth::server
