#include "proxy/base/local_ptr.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

namespace berth {
namespace {

struct Table : LocalCounted {
  explicit Table(int& destroyed) : deaths(destroyed) {}
  ~Table() override { ++deaths; }
  int& deaths;
};

struct WideTable final : Table {
  using Table::Table;
};

TEST(LocalPtr, TheLastHolderDestroys) {
  int deaths = 0;
  {
    LocalPtr<Table> first(new Table(deaths));
    {
      const LocalPtr<Table> second = first;  // NOLINT(performance-unnecessary-copy-initialization)
      EXPECT_EQ(second.get(), first.get());
      EXPECT_EQ(&*second, first.get());
      EXPECT_EQ(&second->deaths, &deaths);
    }
    EXPECT_EQ(deaths, 0);
  }
  EXPECT_EQ(deaths, 1);
}

TEST(LocalPtr, AnEmptyOneHoldsNothing) {
  const LocalPtr<Table> empty;
  const LocalPtr<Table> copy = empty;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_FALSE(empty);
  EXPECT_FALSE(copy);
  EXPECT_EQ(copy.get(), nullptr);
}

TEST(LocalPtr, AMoveLeavesTheOriginEmptyAndTheCountAsItWas) {
  int deaths = 0;
  LocalPtr<Table> from(new Table(deaths));
  {
    const LocalPtr<Table> to = std::move(from);
    EXPECT_TRUE(to);
    EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(deaths, 0);
  }
  EXPECT_EQ(deaths, 1);
}

TEST(LocalPtr, AssignmentLetsGoOfWhatWasHeld) {
  int old_deaths = 0;
  int new_deaths = 0;
  LocalPtr<Table> at(new Table(old_deaths));
  LocalPtr<Table> other(new Table(new_deaths));
  at = other;
  EXPECT_EQ(old_deaths, 1);
  EXPECT_EQ(at.get(), other.get());
  other = {};
  EXPECT_EQ(new_deaths, 0);
  at = {};
  EXPECT_EQ(new_deaths, 1);
}

TEST(LocalPtr, SurvivesAssignmentToItself) {
  int deaths = 0;
  LocalPtr<Table> at(new Table(deaths));
  const LocalPtr<Table>& alias = at;
  at = alias;
  EXPECT_EQ(deaths, 0);
  EXPECT_TRUE(at);
}

TEST(LocalPtr, DestroysTheObjectByItsRealType) {
  int deaths = 0;
  { const LocalPtr<Table> base(new WideTable(deaths)); }
  EXPECT_EQ(deaths, 1);
}

TEST(LocalPtr, ObjectsAreNeverCopied) {
  static_assert(!std::is_copy_constructible_v<Table>);
  static_assert(!std::is_copy_assignable_v<LocalCounted>);
}

}  // namespace
}  // namespace berth
