#include "proxy/base/transition_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "proxy/base/enum_array.h"
#include "proxy/base/letter_case.h"

namespace berth {
namespace {

enum class State : uint8_t { A, B, C };

TEST(TransitionTable, AllowsWhatItLists) {
  constexpr TransitionTable<State> kTable = {{State::A, {State::B, State::C}},
                                             {State::B, {State::A}}};
  static_assert(kTable.allows(State::A, State::B));
  EXPECT_TRUE(kTable.allows(State::A, State::C));
  EXPECT_TRUE(kTable.allows(State::B, State::A));
  EXPECT_FALSE(kTable.allows(State::A, State::A));
  EXPECT_FALSE(kTable.allows(State::B, State::C));
  EXPECT_FALSE(kTable.allows(State::C, State::A));
}

TEST(EnumArray, IsIndexedByItsEnum) {
  EnumArray<State, int, 3> array = {1, 2, 3};
  array[State::C] += 10;
  EXPECT_EQ(array[State::A], 1);
  EXPECT_EQ(array[State::C], 13);
  EXPECT_EQ(std::vector<int>(array.begin(), array.end()), (std::vector<int>{1, 2, 13}));
}

TEST(LetterCase, IsThatOfAscii) {
  EXPECT_EQ(to_lower("Az@[`{\xc4"), "az@[`{\xc4");
  EXPECT_TRUE(equal_in_any_case("Content-Length", "CONTENT-length"));
  EXPECT_FALSE(equal_in_any_case("a", "ab"));
  EXPECT_FALSE(equal_in_any_case("[", "{"));
}

}  // namespace
}  // namespace berth
