#include "proxy/config/loader.h"

#include <utility>

#include "proxy/base/read_file.h"
#include "proxy/config/reader.h"
#include "proxy/config/validate.h"
#include "proxy/config/yaml_tree.h"

namespace berth::config {
namespace {

LoadResult failed(std::string message, std::string hint = {}) {
  return {std::nullopt, {{Level::Error, 0, 0, std::move(message), std::move(hint)}}, 1, {}};
}

void put_in_folder(std::string& file, const std::string& folder) {
  if (!file.empty() && file.front() != '/' && !folder.empty()) file.insert(0, folder);
}

void put_files_in_folder(Config& config, const std::string& folder) {
  for (Listener& listener : config.listeners) {
    for (Certificate& pair : listener.tls.certificates) {
      put_in_folder(pair.certificate, folder);
      put_in_folder(pair.key, folder);
    }
    put_in_folder(listener.tls.client_ca, folder);
  }
  for (Upstream& upstream : config.upstreams) {
    put_in_folder(upstream.tls.ca, folder);
    put_in_folder(upstream.tls.certificate, folder);
    put_in_folder(upstream.tls.key, folder);
  }
}

}  // namespace

LoadResult load_text(std::string_view text, const std::string& folder) {
  Diagnostics diagnostics;
  Places places;
  Config config;
  const YamlTree tree(text, diagnostics);
  if (tree.root() != nullptr) Reader(diagnostics, places).read(*tree.root(), config);
  // Where the file as a whole is wrong, what it lacks is no news.
  const bool has_keys = tree.root() != nullptr && tree.root()->kind == YamlNode::Kind::Map;
  if (has_keys || diagnostics.errors() == 0) {
    put_files_in_folder(config, folder);
    complete(config, places);
    validate(config, places, diagnostics);
  }
  LoadResult result;
  result.errors = diagnostics.errors();
  if (result.errors == 0) result.config = std::move(config);
  result.diagnostics = diagnostics.take();
  result.places = std::move(places);
  return result;
}

LoadResult load_file(const std::string& path) {
  const auto text = read_file(path, YamlTree::kMaxBytes);
  if (!text) return failed("cannot be read: " + text.error().words(), text.error().hint);
  return load_text(*text, path.substr(0, path.rfind('/') + 1));
}

}  // namespace berth::config
