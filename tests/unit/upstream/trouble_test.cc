#include "proxy/upstream/trouble.h"

#include <gtest/gtest.h>

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration since_start) {
  return TimePoint() + since_start;
}

TEST(TroubleTest, TheFirstFailureAndTheNextAnswerAreTold) {
  Trouble trouble;
  EXPECT_FALSE(trouble.ends()) << "it had none";
  EXPECT_TRUE(trouble.begins(at(1s)));
  EXPECT_FALSE(trouble.begins(at(1s))) << "the same one";
  EXPECT_FALSE(trouble.begins(at(1h))) << "still the same one";
  EXPECT_TRUE(trouble.ends());
  EXPECT_FALSE(trouble.ends());
}

TEST(TroubleTest, FailuresAndAnswersInTurnAreToldOfOnceInAWhile) {
  Trouble trouble;
  ASSERT_TRUE(trouble.begins(at(1s)));
  ASSERT_TRUE(trouble.ends());
  EXPECT_FALSE(trouble.begins(at(2s)));
  EXPECT_FALSE(trouble.ends()) << "nobody knows that it began";
  EXPECT_TRUE(trouble.begins(at(1s + Trouble::kQuietFor)));
  EXPECT_TRUE(trouble.ends());
}

}  // namespace
}  // namespace berth::upstream
