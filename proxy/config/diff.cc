#include "proxy/config/diff.h"

#include <algorithm>
#include <array>

namespace berth::config {

namespace {

// Threads and the admin port are made once. Every other key is taken by a reload.
constexpr std::array<std::string_view, 2> kNeedRestart = {"admin.address", "workers"};

}  // namespace

std::vector<std::string> changed_keys(const Settings& running, const Settings& next) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : next) {
    const auto before = running.find(key);
    if (before == running.end() || before->second != value) keys.push_back(key);
  }
  for (const auto& [key, value] : running) {
    if (!next.contains(key)) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

bool needs_restart(std::string_view key) {
  return std::find(kNeedRestart.begin(), kNeedRestart.end(), key) != kNeedRestart.end();
}

}  // namespace berth::config
