// A configuration without a file: `berth run --from :8080 --to 127.0.0.1:3000`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/loader.h"

namespace berth::config {

// The values of the flags as they were written. What is not set keeps its default.
struct Flags {
  // --from: listen addresses, or ports ("8080"); without any, kFlagsListener.
  // --to: server addresses, or ranges of ports ("127.0.0.1:3000-3003"), ports of this machine
  // ("3000", ":3000") and URLs ("https://app.internal"). At least one.
  std::vector<std::string> from = {};
  std::vector<std::string> to = {};
  // --certificate and --key: PEM files, for TLS on all listeners.
  std::optional<std::string> certificate = std::nullopt;
  std::optional<std::string> key = std::nullopt;
  // --admin: an address, or "off".
  std::optional<std::string> admin = std::nullopt;
  // --workers: a number, or "auto".
  std::optional<std::string> workers = std::nullopt;
  // --access-log: "off", "json" or "combined"; --log-file: a path, or "-".
  std::optional<std::string> access_log = std::nullopt;
  std::optional<std::string> log_file = std::nullopt;
  bool operator==(const Flags&) const = default;
};

inline constexpr std::string_view kFlagsListener = ":8080";
// The upstream that all of --to make up.
inline constexpr std::string_view kFlagsUpstream = "app";

// One upstream of all servers, and one route to it. The messages name the flags; they have no line.
LoadResult load_flags(const Flags& flags);

}  // namespace berth::config
