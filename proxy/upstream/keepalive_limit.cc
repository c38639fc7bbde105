#include "proxy/upstream/keepalive_limit.h"

#include <algorithm>

namespace berth::upstream {

namespace {

// The server's clock starts when it has sent the response, ours when we have read it, and its FIN
// takes its time.
Duration margin_below(Duration closes_after) {
  return std::max(closes_after / 5, std::min<Duration>(std::chrono::seconds(1), closes_after / 2));
}

}  // namespace

IdleLimit idle_limit(int32_t hint, std::optional<Duration> configured,
                     std::optional<Duration> observed) {
  const Duration upper = configured.value_or(kDefaultIdleLimit);
  if (hint < 0 && !observed) return {upper, Duration(0), stats::LearnedSource::Config};
  const Duration closes_after = hint >= 0 ? std::chrono::seconds(hint) : *observed;
  const Duration margin = margin_below(closes_after);
  const Duration safe = closes_after - margin;
  // Without a hint and with auto, what was seen can only lower the default: it proves no more than
  // that.
  const bool capped = (configured || hint < 0) && upper < safe;
  if (capped) return {upper, closes_after - upper, stats::LearnedSource::Config};
  return {safe, margin, hint >= 0 ? stats::LearnedSource::Hint : stats::LearnedSource::Observed};
}

}  // namespace berth::upstream
