// How long an upstream connection may lie idle before it is no longer used: pure arithmetic on what
// is known.
#pragma once

#include <cstdint>
#include <optional>

#include "proxy/base/time.h"
#include "proxy/stats/registry.h"

namespace berth::upstream {

struct IdleLimit {
  Duration limit{};
  Duration margin{};  // how far below the server's announced limit; 0 where it is not known
  stats::LearnedSource source = stats::LearnedSource::Config;
};

// Without a hint: the safe side of the 5 s after which Node closes.
inline constexpr Duration kDefaultIdleLimit = std::chrono::seconds(4);

// `hint`: N of the server's Keep-Alive: timeout=N in seconds, -1 where it sent none. `configured`:
// keepalive_timeout, none for auto. `observed`: the idle age at which the server has been seen to
// close (KeepaliveLearner). What the server says or does wins where it is earlier; a configured
// limit is never exceeded. A hint of 0 gives a limit of 0: close.
IdleLimit idle_limit(int32_t hint, std::optional<Duration> configured,
                     std::optional<Duration> observed);

}  // namespace berth::upstream
