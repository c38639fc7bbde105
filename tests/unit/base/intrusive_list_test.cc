#include "proxy/base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth {
namespace {

struct ByState {};
struct ByServer {};

struct Item : ListHook<ByState>, ListHook<ByServer> {
  explicit Item(char item_name) : name(item_name) {}
  char name;
};

using StateList = IntrusiveList<Item, ByState>;
using ServerList = IntrusiveList<Item, ByServer>;

template <class List>
std::string names(List& list) {
  std::string all;
  list.for_each([&](Item& item) { all += item.name; });
  return all;
}

bool in_state_list(const Item& item) {
  return item.ListHook<ByState>::linked();
}

TEST(IntrusiveListTest, StartsEmpty) {
  StateList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.pop_front(), nullptr);
  EXPECT_EQ(names(list), "");
}

TEST(IntrusiveListTest, PushFrontAndPushBackKeepTheirOrder) {
  Item a('a'), b('b'), c('c');
  StateList list;
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  EXPECT_EQ(names(list), "abc");
  EXPECT_EQ(list.front().name, 'a');
  EXPECT_EQ(list.back().name, 'c');
}

TEST(IntrusiveListTest, PopFrontUnlinksInOrder) {
  Item a('a'), b('b');
  StateList list;
  list.push_back(a);
  list.push_back(b);
  EXPECT_EQ(list.pop_front(), &a);
  EXPECT_FALSE(in_state_list(a));
  EXPECT_EQ(list.pop_front(), &b);
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveListTest, UnlinksFromTheFrontTheMiddleAndTheBack) {
  Item a('a'), b('b'), c('c'), d('d');
  StateList list;
  for (Item* item : {&a, &b, &c, &d}) list.push_back(*item);
  b.ListHook<ByState>::unlink();
  EXPECT_EQ(names(list), "acd");
  a.ListHook<ByState>::unlink();
  EXPECT_EQ(names(list), "cd");
  d.ListHook<ByState>::unlink();
  EXPECT_EQ(names(list), "c");
  EXPECT_EQ(&list.front(), &list.back());
}

TEST(IntrusiveListTest, UnlinkingTwiceIsHarmless) {
  Item a('a'), b('b');
  StateList list;
  list.push_back(a);
  list.push_back(b);
  a.ListHook<ByState>::unlink();
  a.ListHook<ByState>::unlink();
  EXPECT_EQ(names(list), "b");
}

TEST(IntrusiveListTest, AnItemMovesFromOneListToAnother) {
  Item a('a');
  StateList idle, busy;
  idle.push_back(a);
  a.ListHook<ByState>::unlink();
  busy.push_back(a);
  EXPECT_TRUE(idle.empty());
  EXPECT_EQ(names(busy), "a");
}

TEST(IntrusiveListTest, HooksOfOneItemAreIndependent) {
  Item a('a'), b('b');
  StateList states;
  ServerList servers;
  states.push_back(a);
  states.push_back(b);
  servers.push_back(b);
  servers.push_back(a);
  a.ListHook<ByState>::unlink();
  EXPECT_EQ(names(states), "b");
  EXPECT_EQ(names(servers), "ba");
}

TEST(IntrusiveListTest, ADestroyedItemLeavesItsList) {
  Item a('a'), c('c');
  std::optional<Item> b('b');
  StateList list;
  for (Item* item : {&a, &*b, &c}) list.push_back(*item);
  b.reset();
  EXPECT_EQ(names(list), "ac");
}

TEST(IntrusiveListTest, ADestroyedListLetsItsItemsGo) {
  Item a('a'), b('b');
  {
    StateList list;
    list.push_back(a);
    list.push_back(b);
  }
  EXPECT_FALSE(in_state_list(a));
  EXPECT_FALSE(in_state_list(b));
  StateList other;
  other.push_back(b);
  EXPECT_EQ(names(other), "b");
}

TEST(IntrusiveListTest, ForEachMayUnlinkTheItemThatItVisits) {
  Item a('a'), b('b'), c('c');
  StateList list;
  for (Item* item : {&a, &b, &c}) list.push_back(*item);
  std::string seen;
  list.for_each([&](Item& item) {
    seen += item.name;
    if (item.name != 'b') item.ListHook<ByState>::unlink();
  });
  EXPECT_EQ(seen, "abc");
  EXPECT_EQ(names(list), "b");
}

TEST(IntrusiveListTest, ForEachMayDestroyTheItemThatItVisits) {
  std::vector<std::unique_ptr<Item>> owned;
  StateList list;
  for (char name : {'a', 'b', 'c'}) {
    list.push_back(*owned.emplace_back(std::make_unique<Item>(name)));
  }
  list.for_each([&](Item& item) {
    for (auto& owner : owned) {
      if (owner.get() == &item) {
        owner.reset();
        return;
      }
    }
  });
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveListTest, FindIfGivesTheFirstMatch) {
  Item a('a'), first_b('b'), second_b('b');
  StateList list;
  for (Item* item : {&a, &first_b, &second_b}) list.push_back(*item);
  EXPECT_EQ(list.find_if([](Item& item) { return item.name == 'b'; }), &first_b);
  EXPECT_EQ(list.find_if([](Item& item) { return item.name == 'z'; }), nullptr);
}

#ifndef NDEBUG
TEST(IntrusiveListDeathTest, LinkingAnItemTwiceBreaksAnInvariant) {
  Item a('a');
  StateList list;
  list.push_back(a);
  EXPECT_DEATH(list.push_back(a), "invariant broken");
}
#endif

}  // namespace
}  // namespace berth
