#include "proxy/config/loader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/unique_fd.h"
#include "proxy/config/reader.h"
#include "proxy/config/validate.h"
#include "proxy/config/yaml_tree.h"

namespace berth::config {
namespace {

LoadResult failed(std::string message, std::string hint = {}) {
  return {std::nullopt, {{Level::Error, 0, 0, std::move(message), std::move(hint)}}, 1};
}

LoadResult cannot_read(int error) {
  std::string hint;
  if (error == EISDIR) hint = "name a file";
  return failed(std::string("cannot be read: ") + std::strerror(error), std::move(hint));
}

}  // namespace

LoadResult load_text(std::string_view text) {
  Diagnostics diagnostics;
  Places places;
  Config config;
  const YamlTree tree(text, diagnostics);
  if (tree.root() != nullptr) Reader(diagnostics, places).read(*tree.root(), config);
  // Where the file as a whole is wrong, what it lacks is no news.
  const bool has_keys = tree.root() != nullptr && tree.root()->kind == YamlNode::Kind::Map;
  if (has_keys || diagnostics.errors() == 0) {
    complete(config, places);
    validate(config, places, diagnostics);
  }
  LoadResult result;
  result.errors = diagnostics.errors();
  if (result.errors == 0) result.config = std::move(config);
  result.diagnostics = diagnostics.take();
  return result;
}

LoadResult load_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return cannot_read(errno);
  std::string text;
  char chunk[16 * 1024];
  while (text.size() <= YamlTree::kMaxBytes) {
    const ssize_t got = ::read(fd.get(), chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(errno);
    if (got == 0) break;
    text.append(chunk, static_cast<size_t>(got));
  }
  return load_text(text);
}

}  // namespace berth::config
