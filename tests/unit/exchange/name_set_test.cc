#include "proxy/exchange/name_set.h"

#include <gtest/gtest.h>

#include "proxy/exchange/request_filter.h"

namespace berth::exchange {
namespace {

TEST(NameSet, KnowsNamesInAnyCaseAndWithUnderscores) {
  NameSet set;
  set.add("X-Real-IP");
  set.add("_Odd-Name");
  for (const char* name :
       {"X-Real-IP", "x-real-ip", "X_REAL_IP", "x-Real_Ip", "-odd-name", "_ODD_NAME"}) {
    EXPECT_TRUE(set.contains(name)) << name;
  }
  for (const char* name :
       {"X-Real-IPs", "X-Real-I", "X-Real.IP", "Y-Real-IP", "XReal-IP", "x", "_odd.name"}) {
    EXPECT_FALSE(set.contains(name)) << name;
  }
}

TEST(NameSet, AStarIsTheRestOfTheName) {
  NameSet set;
  set.add("X-Forwarded-*");
  set.add("Q*");
  for (const std::string& name :
       {std::string("X-Forwarded-"), std::string("x_forwarded_for"),
        "x-forwarded-" + std::string(200, 'x'), std::string("q"), std::string("Quite")}) {
    EXPECT_TRUE(set.contains(name)) << name;
  }
  for (const char* name : {"X-Forwarded", "X-Forwarder-For", "Forwarded", "*"}) {
    EXPECT_FALSE(set.contains(name)) << name;
  }
}

TEST(NameSet, LongNamesAreToldApart) {
  NameSet set;
  const std::string name(40, 'n');
  set.add(name);
  EXPECT_TRUE(set.contains(name));
  EXPECT_FALSE(set.contains(name + "n"));
  EXPECT_FALSE(set.contains(std::string(31, 'n')));
}

TEST(NameSet, IsEmptyAtFirst) {
  const NameSet set;
  EXPECT_FALSE(set.contains("a"));
  EXPECT_FALSE(set.contains("-"));
}

TEST(RequestFilter, DropsTrailersLikeFields) {
  config::HeaderRules rules;
  rules.remove = {"X-Secret"};
  rules.set = {{"X-Role", "user"}};
  const std::vector<std::string> subjects = {"Client-Subject"};
  const std::string trailers =
      "A: 1\r\nX-Secret: 2\r\nx_role: 3\r\nCLIENT-SUBJECT: 4\r\nX-Real-Ip: 5\r\nContent_Length: "
      "6\r\nB: 7\r\n";
  const auto kept = [&](bool trusted) {
    const RequestFilter filter(config::Forwarding{}, rules, subjects, trusted);
    return without_lines(trailers, [&](std::string_view name) { return filter.drops(name); });
  };
  EXPECT_EQ(kept(false), "A: 1\r\nB: 7\r\n");
  EXPECT_EQ(kept(true), "A: 1\r\nX-Real-Ip: 5\r\nB: 7\r\n");
}

}  // namespace
}  // namespace berth::exchange
