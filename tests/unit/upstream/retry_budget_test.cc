#include "proxy/upstream/retry_budget.h"

#include <gtest/gtest.h>

namespace berth::upstream {
namespace {

struct RetryBudgetTest : testing::Test {
  void requests(int count) {
    for (int i = 0; i < count; ++i) {
      budget.request_began();
      budget.request_ended();
    }
  }
  // How many retries at the same time are allowed now, and are then over.
  int allowed() {
    int count = 0;
    while (budget.try_retry(limits)) ++count;
    for (int i = 0; i < count; ++i) budget.retry_ended();
    return count;
  }
  config::Retry limits{.attempts = 3, .budget_percent = 20, .budget_min = 0};
  RetryBudget budget;
};

TEST_F(RetryBudgetTest, AFewAtATimeAreAlwaysAllowed) {
  limits.budget_min = 3;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(allowed(), 3);
}

TEST_F(RetryBudgetTest, TheOthersAreAShareOfTheRequests) {
  EXPECT_EQ(allowed(), 0);
  requests(100);
  EXPECT_EQ(allowed(), 20);
  EXPECT_EQ(allowed(), 0);
  requests(5);
  EXPECT_EQ(allowed(), 1);
  requests(4);
  EXPECT_EQ(allowed(), 0);
}

TEST_F(RetryBudgetTest, AShareThatIsNoWholeNumberIsNotExceeded) {
  limits.budget_percent = 30;  // one for each four
  requests(100);
  EXPECT_EQ(allowed(), 25);
  limits.budget_percent = 100;
  requests(7);
  EXPECT_EQ(allowed(), 7);
}

TEST_F(RetryBudgetTest, WhatIsSavedHasALimit) {
  requests(100'000);
  EXPECT_EQ(allowed(), static_cast<int>(RetryBudget::kMostSaved / 5));
}

TEST_F(RetryBudgetTest, NothingIsSavedForNoShare) {
  limits.budget_percent = 0;
  requests(1000);
  EXPECT_EQ(allowed(), 0);
}

}  // namespace
}  // namespace berth::upstream
