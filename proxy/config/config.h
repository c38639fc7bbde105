// The configuration as plain data: what the YAML file says, with defaults filled in. Immutable once
// loaded. Keys are named as in the file; conf/berth.yaml explains each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/listener.h"
#include "proxy/config/resolver.h"
#include "proxy/config/sizes.h"
#include "proxy/config/upstream.h"

namespace berth::config {

struct HeaderRules {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> remove;
  bool operator==(const HeaderRules&) const = default;
};

struct Route {
  std::string host = "*";  // exact, "*.suffix" or "*"
  std::string path = "/";  // prefix, by whole segments
  std::string upstream;
  RequestBody request_body = RequestBody::Inherit;
  HeaderRules request_headers;
  HeaderRules response_headers;
  bool operator==(const Route&) const = default;
};

// What is told to the servers about the client.
struct Forwarding {
  // Addresses and CIDR blocks whose X-Forwarded-* are kept.
  std::vector<std::string> trusted_proxies;
  // Names of fields that nobody else may send; one with a star at its end stands for all that begin
  // so.
  std::vector<std::string> strip = {"X-Forwarded-*", "X-Real-IP",  "X-Original-*",
                                    "X-Rewrite-*",   "X-Client-*", "Forwarded"};
  bool via = true;         // send Via (RFC 9110 section 7.6.3), and answer 508 to what comes back
  bool forwarded = false;  // send Forwarded (RFC 7239) too
  bool request_id = true;  // X-Request-Id
  bool operator==(const Forwarding&) const = default;
};

struct Admin {
  std::string address = "127.0.0.1:9145";  // "" (off)
  std::vector<std::string> hosts;  // names under which commands and /config may be asked for
  bool operator==(const Admin&) const = default;
};

enum class LogFormat : uint8_t { Json, Combined, Template };

struct AccessLog {
  bool enabled = true;
  std::string path = "-";  // "-": standard output
  LogFormat format = LogFormat::Json;
  std::string pattern;      // `template`: of a line (log_template.h); "": none
  uint32_t min_status = 0;  // from here on, and failures, every line is written; 0: no such status
  uint32_t sample = 0;      // of the others one of this many; 0: auto
  bool operator==(const AccessLog&) const = default;
};

// Where request bodies wait that are too long for memory and come too slowly to stream.
struct Spool {
  static constexpr std::string_view kAutoPath = "auto";

  bool enabled = true;
  std::string path = std::string(kAutoPath);  // a folder; auto: $TMPDIR, /var/tmp or /tmp
  uint64_t max_size = 1 * kGiB;               // of one body
  uint64_t budget = 4 * kGiB;                 // of all
  bool operator==(const Spool&) const = default;
};

struct Shutdown {
  Duration delay = 1s;  // before it begins
  Duration grace = 30s;
  bool operator==(const Shutdown&) const = default;
};

struct Config {
  uint32_t workers = 0;                 // 0: auto, one per core
  uint64_t memory_budget = 256 * kMiB;  // for buffered bodies, whole process
  Spool spool;
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;
  std::vector<Route> routes;
  Forwarding forwarding;
  Admin admin;
  AccessLog access_log;
  Resolver resolver;
  Shutdown shutdown;
  bool operator==(const Config&) const = default;
};

}  // namespace berth::config
