// The reference of the configuration: what the schema knows of each key, joined with what
// conf/berth.yaml, which is built into the binary, explains about it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::server {

struct KeyReference {
  std::string path;     // "upstreams.NAME.pool.max_idle", "listeners[].tls"
  std::string values;   // what may be written, such as "a time from 1ms to 1d"
  std::string initial;  // the default as it is written; empty for a section or if there is none
  std::string text;     // what the key does, one paragraph
  bool is_section = false;
};

// Every key, in the order of the schema; a section comes before its keys.
std::vector<KeyReference> config_reference();

// For the terminal: the keys whose path is `key` or ends in it, with their values and defaults. An
// empty `key` lists all of them, in short. Empty if no key matches.
std::string config_help(std::string_view key);

// The key that a wrong `key` is nearest to; empty if none is near.
std::string nearest_key(std::string_view key);

// docs/configuration.md.
std::string config_markdown();

}  // namespace berth::server
