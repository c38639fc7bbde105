#include "proxy/upstream/keepalive_limit.h"

#include <algorithm>

namespace berth::upstream {

IdleLimit idle_limit(int32_t hint, std::optional<Duration> configured) {
  if (hint < 0)
    return {configured.value_or(kDefaultIdleLimit), Duration(0), stats::LearnedSource::Config};
  const Duration announced = std::chrono::seconds(hint);
  // The server's clock starts when it has sent the response, ours when we have read it, and its FIN
  // takes its time.
  const Duration margin =
      std::max(announced / 5, std::min<Duration>(std::chrono::seconds(1), announced / 2));
  const Duration safe = announced - margin;
  if (configured && *configured < safe) {
    return {*configured, announced - *configured, stats::LearnedSource::Config};
  }
  return {safe, margin, stats::LearnedSource::Hint};
}

}  // namespace berth::upstream
