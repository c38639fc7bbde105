#include "proxy/exchange/trusted_proxies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth::exchange {
namespace {

net::Address peer(const std::string& ip) {
  if (ip == "unix:") return *net::Address::parse("unix:/x");
  const bool v6 = ip.find(':') != std::string::npos;
  return *net::Address::parse(v6 ? "[" + ip + "]:1234" : ip + ":1234");
}

struct Case {
  std::vector<std::string> entries;
  std::vector<std::string> in;
  std::vector<std::string> out;
};

TEST(TrustedProxies, AreAddressesBlocksAndUnix) {
  const Case kCases[] = {
      {{}, {}, {"127.0.0.1", "::1", "unix:", "0.0.0.0", "::"}},
      {{"10.0.0.1"}, {"10.0.0.1"}, {"10.0.0.0", "10.0.0.2", "::1", "unix:", "::10.0.0.1"}},
      {{"::1"}, {"::1"}, {"::2", "::", "0.0.0.1", "127.0.0.1", "unix:"}},
      {{"unix:"}, {"unix:"}, {"127.0.0.1", "::1"}},
      {{"10.0.0.0/8"}, {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0"}},
      {{"192.168.4.0/22"}, {"192.168.4.0", "192.168.7.255"}, {"192.168.3.255", "192.168.8.0"}},
      {{"192.168.4.0/23"}, {"192.168.4.0", "192.168.5.255"}, {"192.168.3.255", "192.168.6.0"}},
      // The bits behind the prefix do not count.
      {{"10.20.30.40/16"}, {"10.20.0.0", "10.20.255.255"}, {"10.21.0.0", "10.19.255.255"}},
      {{"10.0.0.4/31"}, {"10.0.0.4", "10.0.0.5"}, {"10.0.0.3", "10.0.0.6"}},
      {{"10.0.0.4/32"}, {"10.0.0.4"}, {"10.0.0.5"}},
      {{"128.0.0.0/1"}, {"128.0.0.0", "255.255.255.255"}, {"127.255.255.255", "8000::"}},
      {{"0.0.0.0/0"}, {"0.0.0.0", "255.255.255.255"}, {"::1", "8000::", "unix:"}},
      {{"fd00::/8"}, {"fd00::", "fdff:ffff::1"}, {"fc00::", "fe00::", "253.0.0.0"}},
      {{"2001:db8::/33"}, {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
      {{"2001:db8::/127"}, {"2001:db8::", "2001:db8::1"}, {"2001:db8::2"}},
      {{"2001:db8::/128"}, {"2001:db8::"}, {"2001:db8::1"}},
      // All of IPv6 is not all of IPv4.
      {{"::/0"}, {"::", "1::", "ffff::"}, {"1.2.3.4", "255.255.255.255", "unix:"}},
      {{"::/64"}, {"::1"}, {"1.2.3.4", "0:0:0:1::"}},
      // IPv4 in its IPv6 clothes.
      {{"10.0.0.0/8"}, {"::ffff:10.1.2.3"}, {"::ffff:11.1.2.3", "::10.1.2.3"}},
      {{"::ffff:10.0.0.0/104"}, {"10.1.2.3", "::ffff:10.1.2.3"}, {"11.1.2.3"}},
      {{"10.0.0.0/8", "fd00::/8", "unix:", "1.2.3.4"},
       {"10.1.1.1", "fd01::", "unix:", "1.2.3.4"},
       {"1.2.3.5", "::1"}},
      // Never reaches here, since the loader refuses it; matches nobody all the same.
      {{"banana", "", "10.0.0", "10.0.0.0.0/8", "g::/8"}, {}, {"10.0.0.0", "::", "0.0.0.0"}},
  };
  for (const Case& test : kCases) {
    const TrustedProxies proxies(test.entries);
    const std::string first = test.entries.empty() ? "nothing" : test.entries.front();
    for (const std::string& ip : test.in)
      EXPECT_TRUE(proxies.contains(peer(ip))) << first << " " << ip;
    for (const std::string& ip : test.out) {
      EXPECT_FALSE(proxies.contains(peer(ip))) << first << " " << ip;
    }
    EXPECT_FALSE(proxies.contains(net::Address())) << first;
  }
}

// Every prefix length of both families: the last bit that counts, and the first that does not.
TEST(TrustedProxies, EveryPrefixLengthEndsWhereItSays) {
  const auto flipped = [](const net::Address& address, unsigned bit) {
    sockaddr_storage storage;
    const socklen_t length = address.to_sockaddr(storage);
    // Where the address stands in sockaddr_in and sockaddr_in6.
    const size_t at = address.kind() == net::AddressKind::V4 ? 4 : 8;
    reinterpret_cast<uint8_t*>(&storage)[at + bit / 8] ^= static_cast<uint8_t>(0x80U >> (bit % 8));
    return net::Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  };
  for (const std::string ip : {"170.85.51.204", "a5a5:3c3c:f00f:1234:5678:9abc:def0:1357"}) {
    const net::Address base = peer(ip);
    const unsigned width = base.kind() == net::AddressKind::V4 ? 32 : 128;
    for (unsigned bits = 0; bits <= width; ++bits) {
      const TrustedProxies proxies({ip + "/" + std::to_string(bits)});
      EXPECT_TRUE(proxies.contains(base)) << bits;
      for (unsigned bit = 0; bit < width; ++bit) {
        EXPECT_EQ(proxies.contains(flipped(base, bit)), bit >= bits)
            << ip << " " << bits << " " << bit;
      }
    }
  }
}

}  // namespace
}  // namespace berth::exchange
