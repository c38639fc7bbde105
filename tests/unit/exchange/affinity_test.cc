#include "proxy/exchange/affinity.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proxy/base/hash.h"
#include "proxy/exchange/client_address.h"
#include "proxy/http/head_parser.h"

namespace berth::exchange {
namespace {

using namespace std::chrono_literals;

class AffinityTest : public testing::Test {
 protected:
  // A request with these lines, each with CRLF.
  const http::RequestHead& request(const std::string& lines) {
    received_ = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
    http::HeadProgress progress;
    const auto outcome = http::HeadParser::parse(received_, {}, progress, *head_);
    EXPECT_EQ(outcome.status, http::ParseStatus::Complete) << lines;
    return *head_;
  }
  ClientFacts client() const { return {.peer = peer, .stats = *stats_, .trusted = trusted}; }
  upstream::Affinity affinity(const std::string& lines) {
    return affinity_of(request(lines), upstream, client(), proxies);
  }
  // "" for one that is no IP address.
  std::string address(const std::string& forwarded_for) {
    const net::Address found =
        client_address(request("X-Forwarded-For: " + forwarded_for + "\r\n"), client(), proxies);
    char ip[net::Address::kMaxIpText];
    return {ip, found.write_ip(ip)};
  }

  net::Address peer = *net::Address::parse("10.0.0.9:50000");
  bool trusted = false;
  TrustedProxies proxies{{"10.0.0.0/8"}};
  config::Upstream upstream;

 private:
  std::unique_ptr<stats::ListenerStats> stats_ = std::make_unique<stats::ListenerStats>();
  std::unique_ptr<http::RequestHead> head_ = std::make_unique<http::RequestHead>();
  std::string received_;
};

TEST_F(AffinityTest, OnlyThePeerCountsUnlessItIsTrusted) {
  EXPECT_EQ(address("1.2.3.4"), "10.0.0.9");
}

TEST_F(AffinityTest, BehindTrustedProxiesTheLastStrangerIsTheClient) {
  trusted = true;
  EXPECT_EQ(address("1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(address("9.9.9.9, 1.2.3.4"), "1.2.3.4");  // anybody can write the first
  EXPECT_EQ(address("9.9.9.9, 1.2.3.4, 10.0.0.1,10.0.0.2"), "1.2.3.4");
  EXPECT_EQ(address("10.0.0.1, 10.0.0.2"), "10.0.0.1");
  EXPECT_EQ(address("9.9.9.9\r\nX-Forwarded-For: 1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(address("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(address("[2001:DB8::1]:443"), "2001:db8::1");
  EXPECT_EQ(address("\"[2001:db8::1]\""), "2001:db8::1");
  EXPECT_EQ(address("1.2.3.4:5678"), "1.2.3.4");
}

TEST_F(AffinityTest, NothingIsBelievedBeforeWhatIsNoAddress) {
  trusted = true;
  EXPECT_EQ(address("1.2.3.4, unknown"), "10.0.0.9");
  EXPECT_EQ(address("1.2.3.4, unix:/x"), "10.0.0.9");
  EXPECT_EQ(address("1.2.3.4, junk, 10.0.0.2"), "10.0.0.2");
  EXPECT_EQ(address("1.2.3.4, ," + std::string(100, '1')), "10.0.0.9");
  EXPECT_EQ(address(""), "10.0.0.9");
}

TEST_F(AffinityTest, NothingIsAskedForWhereTheUpstreamDoesNotAsk) {
  EXPECT_FALSE(wants_affinity(upstream));
  upstream.hash = {config::HashBy::Header, "X-A"};
  EXPECT_FALSE(affinity("X-A: 1\r\nCookie: s=00000000000000ff\r\n"));
}

TEST_F(AffinityTest, AHashIsByClientAddressHeaderOrCookie) {
  upstream.balance = config::Balance::Hash;
  EXPECT_TRUE(wants_affinity(upstream));
  EXPECT_EQ(affinity("").key, hash64("10.0.0.9"));
  upstream.hash = {config::HashBy::Header, "X-Tenant"};
  EXPECT_EQ(affinity("x-tenant: blue\r\n").key, hash64("blue"));
  EXPECT_EQ(affinity("").key, std::nullopt);
  EXPECT_EQ(affinity("X-Tenant:\r\n").key, std::nullopt);
  upstream.hash = {config::HashBy::Cookie, "sid"};
  EXPECT_EQ(affinity("Cookie: a=b; sid=7\r\n").key, hash64("7"));
  EXPECT_EQ(affinity("Cookie: a=b\r\n").key, std::nullopt);
  EXPECT_EQ(affinity("Cookie: sid=\r\n").key, std::nullopt);
}

TEST_F(AffinityTest, ClientsOfAUnixSocketHaveNoAddress) {
  upstream.balance = config::Balance::Hash;
  peer = *net::Address::parse("unix:/x");
  EXPECT_FALSE(affinity(""));
  trusted = true;
  EXPECT_EQ(affinity("X-Forwarded-For: 1.2.3.4\r\n").key, hash64("1.2.3.4"));
}

TEST_F(AffinityTest, AStickyCookieNamesAServer) {
  upstream.sticky.cookie = "s";
  EXPECT_TRUE(wants_affinity(upstream));
  EXPECT_EQ(affinity("Cookie: s=00000000000000ff\r\n").sticky, 255U);
  for (const char* bad : {"", "ff", "00000000000000fg", "0x000000000000ff", "-0000000000000ff",
                          "00000000000000ff0", "10.0.0.1:3000"}) {
    EXPECT_EQ(affinity("Cookie: s=" + std::string(bad) + "\r\n").sticky, std::nullopt) << bad;
  }
}

TEST_F(AffinityTest, TheCookieThatIsSetIsTheOneThatIsRead) {
  upstream.sticky.cookie = "s";
  const std::string cookie = sticky_cookie(upstream.sticky, 0x0123456789abcdef, false);
  EXPECT_EQ(cookie, "s=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(affinity("Cookie: " + cookie + "\r\n").sticky, 0x0123456789abcdefU);
}

TEST_F(AffinityTest, TheCookieHasItsAttributes) {
  config::Sticky sticky{.cookie = "s",
                        .max_age = 90min,
                        .path = "/app",
                        .secure = config::CookieSecure::Yes,
                        .http_only = false,
                        .same_site = config::SameSite::None};
  EXPECT_EQ(sticky_cookie(sticky, 1, false),
            "s=0000000000000001; Path=/app; Max-Age=5400; Secure; SameSite=None");
  sticky.secure = config::CookieSecure::No;
  sticky.same_site = config::SameSite::Strict;
  EXPECT_EQ(sticky_cookie(sticky, 1, true),
            "s=0000000000000001; Path=/app; Max-Age=5400; SameSite=Strict");
  sticky.secure = config::CookieSecure::Auto;
  EXPECT_EQ(sticky_cookie(sticky, 1, true),
            "s=0000000000000001; Path=/app; Max-Age=5400; Secure; SameSite=Strict");
}

TEST_F(AffinityTest, OnlyATrustedProxySaysThatTlsEndedThere) {
  EXPECT_FALSE(came_over_tls(request("X-Forwarded-Proto: https\r\n"), client()));
  trusted = true;
  EXPECT_TRUE(came_over_tls(request("X-Forwarded-Proto: https\r\n"), client()));
  EXPECT_FALSE(came_over_tls(request("X-Forwarded-Proto: http\r\n"), client()));
}

}  // namespace
}  // namespace berth::exchange
