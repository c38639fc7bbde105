// Snapshot: one loaded configuration, as everything that runs under it sees it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "proxy/config/config.h"

namespace berth::config {

using WallTime = std::chrono::system_clock::time_point;

// Immutable, so that any thread may read it without a lock. It lives until the last holder lets go:
// requests that began under it may outlive the reload that replaced it. Holders take the shared
// pointer when they switch to a snapshot, never per request.
struct Snapshot {
  Config config;
  uint64_t generation = 0;  // 1 for the one at start, one more with each reload
  std::string path;         // the file it was read from; "" for command-line flags
  WallTime loaded_at;       // as the caller's clock says
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

inline SnapshotPtr make_snapshot(Config config, uint64_t generation, std::string path,
                                 WallTime loaded_at) {
  return std::make_shared<const Snapshot>(
      Snapshot{std::move(config), generation, std::move(path), loaded_at});
}

}  // namespace berth::config
