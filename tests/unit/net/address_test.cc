#include "proxy/net/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>
#include <string>

namespace berth::net {
namespace {

Address parsed(std::string_view text) {
  const auto address = Address::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(Address());
}

Address through_sockaddr(const Address& address) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

std::string ip_text(const Address& address) {
  char text[Address::kMaxIpText];
  return {text, address.write_ip(text)};
}

TEST(Address, ReadsAndWritesTheNumericForms) {
  const struct {
    const char* text;
    const char* printed;  // the same where it is canonical already
    AddressKind kind;
    uint16_t port;
    const char* ip;
  } kForms[] = {
      {"127.0.0.1:80", "127.0.0.1:80", AddressKind::V4, 80, "127.0.0.1"},
      {"0.0.0.0:0", "0.0.0.0:0", AddressKind::V4, 0, "0.0.0.0"},
      {"255.254.253.252:65535", "255.254.253.252:65535", AddressKind::V4, 65535, "255.254.253.252"},
      {"10.200.30.4:3000", "10.200.30.4:3000", AddressKind::V4, 3000, "10.200.30.4"},
      {"[::1]:80", "[::1]:80", AddressKind::V6, 80, "::1"},
      {"[::]:8080", "[::]:8080", AddressKind::V6, 8080, "::"},
      {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", AddressKind::V6, 443, "2001:db8::1"},
      {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1",
       AddressKind::V6, 1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]:5", AddressKind::V6, 5, "::ffff:1.2.3.4"},
      {"unix:/run/app.sock", "unix:/run/app.sock", AddressKind::Unix, 0, "unix"},
      {"unix:relative.sock", "unix:relative.sock", AddressKind::Unix, 0, "unix"},
      {"unix:/with:colon:80", "unix:/with:colon:80", AddressKind::Unix, 0, "unix"},
  };
  for (const auto& form : kForms) {
    SCOPED_TRACE(form.text);
    const Address address = parsed(form.text);
    EXPECT_EQ(address.kind(), form.kind);
    EXPECT_EQ(address.port(), form.port);
    EXPECT_EQ(address.to_string(), form.printed);
    EXPECT_EQ(ip_text(address), form.ip);
    EXPECT_EQ(parsed(address.to_string()), address);
    EXPECT_EQ(through_sockaddr(address), address);
    EXPECT_EQ(through_sockaddr(address).to_string(), form.printed);
  }
}

TEST(Address, RefusesEverythingElse) {
  for (const char* text : {"",
                           ":",
                           ":80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:x",
                           "127.0.0.1:80x",
                           "127.0.0.1:+80",
                           "127.0.0.1:-1",
                           "127.0.0.1: 80",
                           "127.0.0.1:65536",
                           "127.0.0.1:99999999999",
                           "127.0.0:80",
                           "127.0.0.256:80",
                           " 127.0.0.1:80",
                           "1.2.3.4.5:80",
                           "localhost:80",
                           "::1:80",
                           "::1",
                           "[::1]",
                           "[::1]80",
                           "[::1:80",
                           "::1]:80",
                           "[]:80",
                           "[g::]:80",
                           "[::1]:80:90",
                           "[[::1]]:80",
                           "[127.0.0.1]:80",
                           "[1:2:3:4:5:6:7:8:9]:80",
                           "[fe80::1%lo]:80",
                           "unix:",
                           "tcp:80"}) {
    EXPECT_FALSE(Address::parse(text).has_value()) << text;
  }
}

TEST(Address, AUnixPathHasToFitTheSocketAddress) {
  const size_t most = sizeof(sockaddr_un::sun_path) - 1;
  const std::string longest = "unix:/" + std::string(most - 1, 'x');
  EXPECT_EQ(through_sockaddr(parsed(longest)).to_string(), longest);
  EXPECT_FALSE(Address::parse(longest + "x").has_value());
}

TEST(Address, ListenersMayLeaveTheHostOut) {
  const auto any = Address::parse_listen(":8080");
  ASSERT_TRUE(any.has_value());
  EXPECT_EQ(any->to_string(), "[::]:8080");
  EXPECT_EQ(Address::parse_listen("127.0.0.1:1")->to_string(), "127.0.0.1:1");
  EXPECT_EQ(Address::parse_listen("unix:/a")->to_string(), "unix:/a");
  EXPECT_FALSE(Address::parse_listen(":").has_value());
  EXPECT_FALSE(Address::parse_listen(":http").has_value());
  EXPECT_FALSE(Address::parse_listen("").has_value());
}

TEST(Address, SockaddrHoldsNetworkOrder) {
  sockaddr_storage storage;
  ASSERT_EQ(parsed("1.2.3.4:258").to_sockaddr(storage), sizeof(sockaddr_in));
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  EXPECT_EQ(v4.sin_family, AF_INET);
  EXPECT_EQ(ntohs(v4.sin_port), 258);
  EXPECT_EQ(ntohl(v4.sin_addr.s_addr), 0x01020304u);

  ASSERT_EQ(parsed("[::1]:258").to_sockaddr(storage), sizeof(sockaddr_in6));
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  EXPECT_EQ(v6.sin6_family, AF_INET6);
  EXPECT_EQ(ntohs(v6.sin6_port), 258);
  EXPECT_EQ(v6.sin6_addr.s6_addr[15], 1);
  EXPECT_EQ(v6.sin6_scope_id, 0u);

  parsed("unix:/a/b").to_sockaddr(storage);
  const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
  EXPECT_EQ(un.sun_family, AF_UNIX);
  EXPECT_STREQ(un.sun_path, "/a/b");
}

TEST(Address, FamilyFollowsTheKind) {
  EXPECT_EQ(parsed("1.2.3.4:5").family(), AF_INET);
  EXPECT_EQ(parsed("[::1]:5").family(), AF_INET6);
  EXPECT_EQ(parsed("unix:/a").family(), AF_UNIX);
  EXPECT_EQ(Address().family(), AF_UNSPEC);
}

TEST(Address, AnUnnamedUnixPeerHasNoPath) {
  sockaddr_un peer{};
  peer.sun_family = AF_UNIX;
  const Address address =
      Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer), sizeof(sa_family_t));
  EXPECT_EQ(address.kind(), AddressKind::Unix);
  EXPECT_EQ(address.to_string(), "unix:");
  // What lies behind the length is not looked at.
  std::strcpy(peer.sun_path, "/garbage");
  EXPECT_EQ(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer), sizeof(sa_family_t))
                .to_string(),
            "unix:");
}

TEST(Address, AbstractUnixNamesCountAsUnnamed) {
  sockaddr_un peer{};
  peer.sun_family = AF_UNIX;
  std::memcpy(peer.sun_path, "\0hidden", 7);
  EXPECT_EQ(
      Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer), sizeof(sa_family_t) + 7)
          .to_string(),
      "unix:");
}

TEST(Address, AUnixPathWithoutAZeroBehindItEndsWithItsArray) {
  struct {
    sockaddr_un peer{};
    char behind[8] = {'X', 'X', 'X', 'X', 'X', 'X', 'X', '\0'};
  } at;
  at.peer.sun_family = AF_UNIX;
  std::memset(at.peer.sun_path, 'p', sizeof at.peer.sun_path);
  EXPECT_EQ(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&at.peer), sizeof at.peer)
                .to_string(),
            "unix:" + std::string(sizeof at.peer.sun_path, 'p'));
  EXPECT_EQ(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&at.peer),
                                   offsetof(sockaddr_un, sun_path) + 3)
                .to_string(),
            "unix:ppp");
}

TEST(Address, AnEmptyOneSaysNothing) {
  const Address none;
  EXPECT_EQ(none.kind(), AddressKind::None);
  EXPECT_EQ(none.port(), 0);
  EXPECT_EQ(none.to_string(), "");
}

TEST(Address, MappedAddressesBecomeIpv4) {
  EXPECT_EQ(parsed("[::ffff:10.1.2.3]:80").unmapped().to_string(), "10.1.2.3:80");
  EXPECT_EQ(parsed("[::ffff:10.1.2.3]:80").unmapped(), parsed("10.1.2.3:80"));
  for (const char* kept : {"[::1]:80", "[::10.1.2.3]:80", "[::fffe:10.1.2.3]:80",
                           "[1::ffff:10.1.2.3]:80", "10.1.2.3:80", "unix:/a"}) {
    EXPECT_EQ(parsed(kept).unmapped(), parsed(kept)) << kept;
  }
}

TEST(Address, EqualityLooksAtEverything) {
  EXPECT_EQ(parsed("1.2.3.4:5"), parsed("1.2.3.4:5"));
  EXPECT_FALSE(parsed("1.2.3.4:5") == parsed("1.2.3.4:6"));
  EXPECT_FALSE(parsed("1.2.3.4:5") == parsed("1.2.3.5:5"));
  EXPECT_FALSE(parsed("0.0.0.0:5") == parsed("[::]:5"));
  EXPECT_EQ(parsed("unix:/a"), parsed("unix:/a"));
  EXPECT_FALSE(parsed("unix:/a") == parsed("unix:/b"));
  EXPECT_EQ(Address(), Address());
  EXPECT_FALSE(Address() == parsed("0.0.0.0:0"));
}

TEST(Address, EveryIpv4ByteIsPrintedInFull) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string ip =
        std::to_string(byte) + ".0." + std::to_string(255 - byte) + "." + std::to_string(byte);
    EXPECT_EQ(ip_text(parsed(ip + ":1")), ip);
  }
}

TEST(Resolve, TakesNumericFormsAsTheyAre) {
  EXPECT_EQ(resolve("127.0.0.1:80"), std::vector{parsed("127.0.0.1:80")});
  EXPECT_EQ(resolve("unix:/a"), std::vector{parsed("unix:/a")});
}

TEST(Resolve, LooksNamesUpAndKeepsThePort) {
  const std::vector<Address> found = resolve("localhost:8123");
  ASSERT_FALSE(found.empty());
  for (const Address& address : found) {
    EXPECT_EQ(address.port(), 8123);
    EXPECT_TRUE(address == parsed("127.0.0.1:8123") || address == parsed("[::1]:8123"))
        << address.to_string();
  }
}

TEST(Resolve, SaysWhatIsWrong) {
  const auto message = [](const char* text) -> std::string {
    try {
      resolve(text);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "resolved";
  };
  EXPECT_NE(message("no-such-host.invalid:80").find("cannot resolve 'no-such-host.invalid'"),
            std::string::npos);
  EXPECT_EQ(message("localhost"), "'localhost' is not host:port");
  EXPECT_EQ(message("localhost:http"), "'localhost:http' is not host:port");
  EXPECT_EQ(message("unix:"), "'unix:' is not host:port");
}

}  // namespace
}  // namespace berth::net
