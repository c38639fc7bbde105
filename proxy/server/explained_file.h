// conf/berth.yaml, which explains every key in a comment, as part of the binary.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace berth::server {

// The file's text.
std::string_view explained_file();

struct Explanation {
  std::string comment;  // one paragraph; empty if the key has none of its own
  std::string value;    // as written behind the colon; empty for a section
};

// The comment and the value of each key in `yaml`, by path: "listeners[].tls.min_version". The keys
// below `upstreams` are names; the path has NAME in their place.
std::map<std::string, Explanation> explanations(std::string_view yaml);

}  // namespace berth::server
