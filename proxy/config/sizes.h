// Units in which the defaults of the configuration are written.
#pragma once

#include <cstdint>

#include "proxy/base/time.h"

namespace berth::config {

using namespace std::chrono_literals;

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

}  // namespace berth::config
