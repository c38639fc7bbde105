#include "proxy/config/address_syntax.h"

#include <gtest/gtest.h>

namespace berth::config {
namespace {

std::string refusal(const Result<AddressSyntax, Complaint>& result) {
  if (result) return "accepted";
  return result.error().message + " (" + result.error().hint + ")";
}

AddressSyntax ip(AddressKind kind, const std::string& host, uint16_t port) {
  return {kind, host, port, {}};
}

TEST(ConfigAddress, Servers) {
  EXPECT_EQ(*parse_server_address("127.0.0.1:3000"), ip(AddressKind::Ipv4, "127.0.0.1", 3000));
  EXPECT_EQ(*parse_server_address("[::1]:65535"), ip(AddressKind::Ipv6, "::1", 65535));
  EXPECT_EQ(*parse_server_address("App-1.internal:1"),
            ip(AddressKind::HostName, "app-1.internal", 1));
  EXPECT_EQ(*parse_server_address("my_service:80"), ip(AddressKind::HostName, "my_service", 80));
  EXPECT_EQ(*parse_server_address("unix:/run/app.sock"),
            (AddressSyntax{AddressKind::Unix, "", 0, "/run/app.sock"}));
}

TEST(ConfigAddress, Listeners) {
  EXPECT_EQ(*parse_listen_address(":8080"), ip(AddressKind::AnyHost, "", 8080));
  EXPECT_EQ(*parse_listen_address("0.0.0.0:0"), ip(AddressKind::Ipv4, "0.0.0.0", 0));
  EXPECT_EQ(*parse_listen_address("[::]:80"), ip(AddressKind::Ipv6, "::", 80));
  EXPECT_EQ(parse_listen_address("unix:/run/b.sock")->path, "/run/b.sock");
}

TEST(ConfigAddress, WrongServersSayWhatWouldBeRight) {
  struct Row {
    std::string_view text;
    std::string_view problem;
  };
  constexpr Row kRows[] = {
      {"", "is no address (such as 127.0.0.1:3000)"},
      {"3000", "is a port without a host (did you mean 127.0.0.1:3000?)"},
      {":3000", "has no host (did you mean 127.0.0.1:3000?)"},
      {"*:3000", "is not an address (did you mean :3000?)"},
      {"localhost", "has no port (such as localhost:3000)"},
      {"[::1]", "has no port (such as [::1]:3000)"},
      {"::1", "is not an address (write IPv6 in brackets, such as \"[::1]:3000\")"},
      {"::1:3000", "is not an address (write IPv6 in brackets, such as \"[::1]:3000\")"},
      {"[::1:3000", "is not an IPv6 address (such as \"[::1]:3000\")"},
      {"[1.2.3.4]:80", "is not an IPv6 address (such as \"[::1]:3000\")"},
      {"[]:80", "is not an IPv6 address (such as \"[::1]:3000\")"},
      {"[:80", "is not an IPv6 address (such as \"[::1]:3000\")"},
      {"127.0.0.1:0", "has a wrong port (a port is a number from 1 to 65535)"},
      {"127.0.0.1:65536", "has a wrong port (a port is a number from 1 to 65535)"},
      {"127.0.0.1:99999999999", "has a wrong port (a port is a number from 1 to 65535)"},
      {"127.0.0.1:", "has a wrong port (a port is a number from 1 to 65535)"},
      {"127.0.0.1:http", "has a wrong port (a port is a number from 1 to 65535)"},
      {"127.0.0.1:+80", "has a wrong port (a port is a number from 1 to 65535)"},
      {"1.2.3:80", "is not an IPv4 address (four numbers from 0 to 255)"},
      {"1.2.3.256:80", "is not an IPv4 address (four numbers from 0 to 255)"},
      {"-app:80", "has a wrong host name ()"},
      {"app-:80", "has a wrong host name ()"},
      {"a..b:80", "has a wrong host name ()"},
      {"app..:80", "has a wrong host name ()"},
      {"_http._tcp.app.internal:80",
       "has the name of an SRV record, which Berth does not ask for (name a host and its port; all "
       "addresses of the host are servers)"},
      {"user@app:80", "has a wrong host name ()"},
      {"http://localhost:3000/x",
       "is a URL (an address is host:port: did you mean localhost:3000?)"},
      {"https://app:443", "is a URL (an address is host:port; TLS is a section of its own, tls)"},
      {"/run/app.sock", "is a path (did you mean unix:/run/app.sock?)"},
      {"unix:app.sock", "needs an absolute path (such as unix:/run/app.sock)"},
      {"unix:", "needs an absolute path (such as unix:/run/app.sock)"},
      {"unix:///run/a.sock", "has too many slashes (did you mean unix:/run/a.sock?)"},
      {"${HOST}:3000", "is not an address (variables are not replaced in this file)"},
      {"127.0.0.1:3000 b", "has blanks in it (is a closing quote missing?)"},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(refusal(parse_server_address(row.text)),
              in_quotes(row.text) + " " + std::string(row.problem));
  }
}

TEST(ConfigAddress, WrongListenersSayWhatWouldBeRight) {
  const auto refused = [](std::string_view text) { return refusal(parse_listen_address(text)); };
  EXPECT_EQ(refused("8080"), "'8080' is a port without a host (did you mean :8080?)");
  EXPECT_EQ(refused("*:8080"), "'*:8080' is not an address (did you mean :8080?)");
  EXPECT_EQ(refused("app"), "'app' has no port (such as :8080)");
  EXPECT_EQ(refused("localhost:80"),
            "'localhost:80' is a name (listen on an IP address: did you mean 127.0.0.1:80?)");
  EXPECT_EQ(refused("example.com:80"),
            "'example.com:80' is a name (listen on an IP address, or on :80 for all of them)");
}

TEST(ConfigAddress, UnixPathsFitTheKernel) {
  const std::string longest = "unix:/" + std::string(106, 'a');  // sun_path less the final NUL
  EXPECT_TRUE(parse_server_address(longest));
  EXPECT_EQ(
      refusal(parse_server_address(longest + "a")),
      in_quotes(longest + "a") +
          " is too long for a Unix socket (the path has 108 bytes, at most 107 are possible)");
  EXPECT_FALSE(parse_server_address(std::string_view("unix:/a\0b", 9)));
  EXPECT_FALSE(parse_server_address("unix:/a\x7f"));
}

TEST(ConfigAddress, CanonicalFormsMeet) {
  const auto same = [](std::string_view a, std::string_view b) {
    return canonical(*parse_server_address(a)) == canonical(*parse_server_address(b));
  };
  EXPECT_TRUE(same("[0:0::1]:80", "[::1]:80"));
  EXPECT_TRUE(same("APP:80", "app:80"));
  EXPECT_FALSE(same("app:80", "app:81"));
  EXPECT_FALSE(same("[::1]:80", "[::2]:80"));
  EXPECT_FALSE(same("unix:/a", "unix:/b"));
  EXPECT_EQ(canonical(*parse_listen_address(":80")), ":80");
  EXPECT_EQ(canonical(*parse_listen_address("[0::]:80")), "[::]:80");
}

TEST(ConfigAddress, Networks) {
  for (const std::string_view good :
       {"10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "::1", "fd00::/8", "::/128"}) {
    EXPECT_TRUE(check_network(good)) << good;
  }
  for (const std::string_view bad : {"", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "a/8",
                                     "10.0.0.0/8/8", "10.0.0.0/x", "10.0.0.1:80", "[::1]"}) {
    EXPECT_FALSE(check_network(bad)) << bad;
  }
}

TEST(ConfigAddress, HostNames) {
  for (const std::string_view good : {"a", "a.b", "a-b.c1", "1a", "a_b"}) {
    EXPECT_TRUE(is_host_name(good)) << good;
  }
  EXPECT_TRUE(is_host_name(std::string(63, 'a')));
  EXPECT_FALSE(is_host_name(std::string(64, 'a')));
  const std::string label = std::string(62, 'a') + ".";
  const std::string longest = label + label + label + label + "a";
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_TRUE(is_host_name(longest));
  EXPECT_FALSE(is_host_name(longest + "a"));
  for (const std::string_view bad :
       {"", ".", "a.", ".a", "-a", "a-", "a-.b", "a b", "a/b", "\xc3\xa9"}) {
    EXPECT_FALSE(is_host_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace berth::config
