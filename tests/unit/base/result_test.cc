#include "proxy/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace berth {
namespace {

enum class Problem : int { Small, Large };

Result<int, Problem> half_of_even(int number) {
  if (number % 2 != 0) return Failure{Problem::Large};
  return number / 2;
}

TEST(ResultTest, HoldsAValue) {
  Result<int, Problem> result = half_of_even(8);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(*result, 4);
}

TEST(ResultTest, HoldsTheReasonWhyThereIsNoValue) {
  Result<int, Problem> result = half_of_even(7);
  ASSERT_FALSE(result.ok());
  EXPECT_FALSE(static_cast<bool>(result));
  EXPECT_EQ(result.error(), Problem::Large);
}

TEST(ResultTest, TellsAValueFromAnErrorOfTheSameType) {
  Result<int, int> value = 1;
  Result<int, int> error = Failure{1};
  EXPECT_TRUE(value.ok());
  EXPECT_FALSE(error.ok());
}

TEST(ResultTest, CarriesAValueThatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>, Problem> result = std::make_unique<int>(5);
  ASSERT_TRUE(result.ok());
  std::unique_ptr<int> taken = std::move(*result);
  EXPECT_EQ(*taken, 5);
  EXPECT_EQ(*result, nullptr);
}

TEST(ResultTest, TheArrowReachesIntoTheValue) {
  Result<std::string, Problem> result = std::string("berth");
  result->push_back('!');
  const auto& same = result;
  EXPECT_EQ(same->size(), 6U);
  EXPECT_EQ(*same, "berth!");
}

#ifndef NDEBUG
TEST(ResultDeathTest, AskingAValueForItsErrorBreaksAnInvariant) {
  Result<int, Problem> result = 1;
  EXPECT_DEATH(static_cast<void>(result.error()), "invariant broken");
}
#endif

}  // namespace
}  // namespace berth
