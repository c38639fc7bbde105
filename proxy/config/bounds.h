// Between what values the settings of the configuration must be, and the words that stand for one.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/config/sizes.h"

namespace berth::config {

struct DurationBounds {
  Duration min;
  Duration max;
  std::string_view below;  // what to do instead of going below the minimum
};

struct NumberBounds {
  uint64_t min;
  uint64_t max;
  std::string_view below;
};

// A word in the file that stands for a value of the setting.
struct Keyword {
  std::string_view word;
  uint64_t value;
};

namespace bounds {
inline constexpr Duration kDay = 24h;
inline constexpr DurationBounds kTimeout{1ms, kDay, ""};
inline constexpr DurationBounds kClientKeepalive{
    1ms, kDay, "to close after every response, set keepalive_requests: 1"};
inline constexpr DurationBounds kServerKeepalive{1ms, kDay,
                                                 "to keep no idle connections, set max_idle: 0"};
inline constexpr DurationBounds kLongTime{1s, 3650 * kDay, ""};
inline constexpr DurationBounds kUpgrade{1s, 3650 * kDay, ""};
inline constexpr DurationBounds kQueueTimeout{1ms, kDay, "for no queue at all, set queue_size: 0"};
inline constexpr DurationBounds kCookieAge{
    1s, 3650 * kDay, "to end it with the browser's session, write max_age: session"};
inline constexpr DurationBounds kSlowStart{1s, kDay, "to turn it off, write slow_start: off"};
inline constexpr DurationBounds kGrace{0s, kDay, ""};
inline constexpr DurationBounds kTcpTime{1s, 32767s, "to turn it off, write tcp_keepalive: off"};
inline constexpr NumberBounds kTcpCount{1, 127, ""};
inline constexpr NumberBounds kRequests{1, 10'000'000, "1 closes after every request"};
inline constexpr NumberBounds kClientConnections{1, 10'000'000,
                                                 "write auto for as many as files may be open"};
inline constexpr NumberBounds kServerConnections{1, 1'000'000, "at least one is needed"};
inline constexpr NumberBounds kFromNone{0, 1'000'000, ""};
inline constexpr NumberBounds kStreams{1, 10'000, "to turn HTTP/2 off, write http2: off"};
inline constexpr NumberBounds kBacklog{1, 65'535, ""};
inline constexpr NumberBounds kWorkers{1, 256, "write auto for one per core"};
inline constexpr NumberBounds kAttempts{1, 16, "1 never retries"};
inline constexpr NumberBounds kWeight{1, 1000, "to take a server out, remove it from the list"};
inline constexpr DurationBounds kEjectTime{100ms, kDay, "to leave none out, write ejection: off"};
inline constexpr NumberBounds kErrors{1, 1'000'000, "to leave none out, write ejection: off"};
inline constexpr DurationBounds kCheckInterval{100ms, kDay, ""};
inline constexpr DurationBounds kTtl{100ms, kDay, ""};
inline constexpr NumberBounds kChecks{1, 1000, ""};
inline constexpr NumberBounds kEjectPercent{1, 100, "to leave none out, write ejection: off"};
inline constexpr NumberBounds kPercent{0, 100, ""};
inline constexpr NumberBounds kMinStatus{100, 999, ""};
inline constexpr NumberBounds kSample{1, 1'000'000, "one line of this many"};
inline constexpr NumberBounds kHead{1 * kKiB, 1 * kMiB, ""};
inline constexpr NumberBounds kTarget{256, 1 * kMiB, ""};
inline constexpr NumberBounds kFields{16, 10'000, ""};
inline constexpr NumberBounds kBody{1, 1024 * kGiB, "write unlimited for no limit"};
inline constexpr NumberBounds kRate{1, 1 * kGiB, "write off for no limit"};
inline constexpr NumberBounds kBuffer{4 * kKiB, 64 * kMiB, ""};
inline constexpr NumberBounds kSpool{64 * kKiB, 1024 * 1024 * kGiB,
                                     "to write no files, write spool: off"};
inline constexpr NumberBounds kBudget{1 * kMiB, 1024 * kGiB, ""};
}  // namespace bounds

inline constexpr Keyword kAuto{"auto", 0};
inline constexpr Keyword kUnlimited{"unlimited", 0};
inline constexpr Keyword kOff{"off", 0};
inline constexpr Keyword kSession{"session", 0};
inline constexpr uint32_t kHttpsPort = 443;

}  // namespace berth::config
