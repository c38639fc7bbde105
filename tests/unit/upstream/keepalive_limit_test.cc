#include "proxy/upstream/keepalive_limit.h"

#include <gtest/gtest.h>

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;
using stats::LearnedSource;

struct Case {
  int32_t hint;
  std::optional<Duration> configured;
  std::optional<Duration> observed;
  Duration limit;
  Duration margin;
  LearnedSource source;
};

TEST(KeepaliveLimit, StaysBelowWhatIsKnown) {
  const Case cases[] = {
      // Nothing known: the safe side of Node's 5 s, or what is configured.
      {-1, std::nullopt, std::nullopt, 4s, 0s, LearnedSource::Config},
      {-1, 30s, std::nullopt, 30s, 0s, LearnedSource::Config},
      // A hint, less max(20 %, min(1 s, half)).
      {5, std::nullopt, std::nullopt, 4s, 1s, LearnedSource::Hint},
      {1, std::nullopt, std::nullopt, 500ms, 500ms, LearnedSource::Hint},
      {2, std::nullopt, std::nullopt, 1s, 1s, LearnedSource::Hint},
      {65, std::nullopt, std::nullopt, 52s, 13s, LearnedSource::Hint},
      {0, std::nullopt, std::nullopt, 0s, 0s, LearnedSource::Hint},
      {0, 30s, std::nullopt, 0s, 0s, LearnedSource::Hint},
      // A configured limit is never exceeded, and does not exceed the hint.
      {65, 10s, std::nullopt, 10s, 55s, LearnedSource::Config},
      {5, 60s, std::nullopt, 4s, 1s, LearnedSource::Hint},
      // What was seen counts where nothing is announced, and only lowers the default.
      {-1, std::nullopt, 2s, 1s, 1s, LearnedSource::Observed},
      {-1, std::nullopt, 60s, 4s, 56s, LearnedSource::Config},
      {-1, 60s, 20s, 16s, 4s, LearnedSource::Observed},
      {5, std::nullopt, 2s, 4s, 1s, LearnedSource::Hint},
  };
  for (const Case& c : cases) {
    const IdleLimit got = idle_limit(c.hint, c.configured, c.observed);
    SCOPED_TRACE("hint " + std::to_string(c.hint));
    EXPECT_EQ(got.limit, c.limit);
    EXPECT_EQ(got.margin, c.margin);
    EXPECT_EQ(got.source, c.source);
  }
}

TEST(KeepaliveLimit, IsEarlierThanEveryHint) {
  for (int32_t hint = 0; hint < 1000; ++hint) {
    const IdleLimit got = idle_limit(hint, std::nullopt, std::nullopt);
    EXPECT_LE(got.limit + got.margin, Duration(std::chrono::seconds(hint)));
    if (hint > 0) {
      EXPECT_GE(got.margin, 500ms);
    }
  }
}

}  // namespace
}  // namespace berth::upstream
