// Files of the repository that tests hold against the code.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace berth::stats {

// `path` from the repository's top, wherever the test runs.
inline std::string repository_path(const std::string& path) {
  const std::string here = __FILE__;
  return here.substr(0, here.rfind("tests/unit/")) + path;
}

// "" if there is no such file.
inline std::string read_repository_file(const std::string& path) {
  std::ifstream file(repository_path(path));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace berth::stats
