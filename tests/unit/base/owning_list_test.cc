#include "proxy/base/owning_list.h"

#include <gtest/gtest.h>

#include <string>

namespace berth {
namespace {

struct Tag {};

struct Item : ListHook<Tag> {
  Item(char letter, std::string& deaths) : name(letter), graves(deaths) {}
  ~Item() { graves += name; }
  char name;
  std::string& graves;
};

using List = OwningList<Item, Tag>;

std::string names(List& list) {
  std::string out;
  list.for_each([&](Item& item) { out += item.name; });
  return out;
}

TEST(OwningList, TakesInGivesOutAndDestroysTheRest) {
  std::string graves;
  {
    List list;
    const auto make = [&](char name) { return std::make_unique<Item>(name, graves); };
    Item& c = list.adopt(make('c'));
    list.adopt_front(make('a'));
    list.adopt_before(c, make('b'));
    list.adopt(make('d'));
    EXPECT_EQ(names(list), "abcd");
    EXPECT_EQ(&list.front(), list.find_if([](const Item& item) { return item.name == 'a'; }));
    EXPECT_EQ(list.back().name, 'd');

    const std::unique_ptr<Item> out = list.extract(c);
    EXPECT_EQ(names(list), "abd");
    EXPECT_FALSE(out->linked());
    EXPECT_EQ(graves, "");
    list.for_each([&](Item& item) {
      if (item.name == 'b') list.extract(item).reset();
    });
    EXPECT_EQ(graves, "b");
  }
  EXPECT_EQ(graves, "bcad");
}

}  // namespace
}  // namespace berth
