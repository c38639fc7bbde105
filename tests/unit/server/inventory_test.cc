#include "proxy/server/inventory.h"

#include <gtest/gtest.h>

namespace berth::server {
namespace {

std::vector<net::Address> addresses(const std::vector<std::string>& texts) {
  std::vector<net::Address> out;
  for (const std::string& text : texts) out.push_back(*net::Address::parse(text));
  return out;
}

std::string servers(const std::vector<std::string>& resolved) {
  return describe_servers(addresses(resolved));
}

TEST(ServersOfANameTest, AreAllItsAddressesOfOneFamily) {
  EXPECT_EQ(servers({"127.0.0.3:80", "127.0.0.2:80"}), " is 127.0.0.3:80, 127.0.0.2:80");
  EXPECT_EQ(servers({"[::1]:80", "[::2]:80"}), " is [::1]:80, [::2]:80");
  EXPECT_EQ(servers({"unix:/run/app.sock"}), " is unix:/run/app.sock");
}

TEST(ServersOfANameTest, OneAddressOfEachFamilyIsOneServer) {
  for (const auto& resolved :
       {addresses({"[::1]:80", "127.0.0.1:80"}), addresses({"127.0.0.1:80", "[::1]:80"})}) {
    const std::vector<ServerAddress> found = servers_of(resolved);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].address.to_string(), "127.0.0.1:80");
    EXPECT_EQ(found[0].other.to_string(), "[::1]:80");
  }
}

TEST(ServersOfANameTest, MoreOfBothFamiliesAreThoseOfOne) {
  EXPECT_EQ(servers({"[::1]:80", "127.0.0.2:80", "127.0.0.3:80"}),
            " is 127.0.0.2:80, 127.0.0.3:80 (one family is used: not [::1]:80)");
}

}  // namespace
}  // namespace berth::server
