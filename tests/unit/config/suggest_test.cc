#include "proxy/config/suggest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "proxy/config/key_hints.h"

namespace berth::config {
namespace {

constexpr std::array<std::string_view, 5> kKeys = {"max_connections", "max_idle", "queue_size",
                                                   "keepalive_timeout", "keepalive_time"};

TEST(ConfigSuggest, FindsTheNearest) {
  EXPECT_EQ(nearest("max_conections", kKeys), "max_connections");  // a letter left out
  EXPECT_EQ(nearest("max_iddle", kKeys), "max_idle");              // one too many
  EXPECT_EQ(nearest("queue_sise", kKeys), "queue_size");           // a wrong one
  EXPECT_EQ(nearest("uqeue_size", kKeys), "queue_size");           // two swapped
  EXPECT_EQ(nearest("Max-Idle", kKeys), "max_idle");               // another style
  EXPECT_EQ(nearest("keepalive_tim", kKeys), "keepalive_time");    // the nearer of two
  EXPECT_EQ(nearest("keepalive_timeot", kKeys), "keepalive_timeout");
}

TEST(ConfigSuggest, SaysNothingRatherThanNonsense) {
  EXPECT_EQ(nearest("certificate", kKeys), "");
  EXPECT_EQ(nearest("", kKeys), "");
  EXPECT_EQ(nearest("x", kKeys), "");
  EXPECT_EQ(nearest(std::string(1000, 'm'), kKeys), "");
  EXPECT_EQ(nearest("anything", {}), "");
  constexpr std::array<std::string_view, 1> kShort = {"to"};
  EXPECT_EQ(nearest("ab", kShort), "");    // every letter replaced
  EXPECT_EQ(nearest("ot", kShort), "to");  // a swap is one mistake, in a short word the only one
  EXPECT_EQ(nearest("oto", kShort), "to");
  EXPECT_EQ(nearest("ottt", kShort), "");
}

TEST(ConfigSuggest, AtMostAThirdOfTheWordIsWrong) {
  constexpr std::array<std::string_view, 2> kFlags = {"--certificate", "--admin"};
  EXPECT_EQ(nearest("--frobnicate", kFlags), "");  // 5 of 10
  EXPECT_EQ(nearest("--certif", kFlags), "");      // 5 of 6
  EXPECT_EQ(nearest("--zertifikate", kFlags), "--certificate");
  EXPECT_EQ(nearest("--amdin", kFlags), "--admin");
  EXPECT_EQ(nearest("--abcin", kFlags), "");  // 2 of 5: the dashes are no letters
}

TEST(ConfigSuggest, TheFirstOfEquals) {
  constexpr std::array<std::string_view, 3> kEquals = {"abcx", "abcy", "abcz"};
  EXPECT_EQ(nearest("abcd", kEquals), "abcx");
}

TEST(ConfigSuggest, LongWordsAreNotCompared) {
  const std::string longest(64, 'm');
  const std::array<std::string_view, 1> keys = {longest};
  EXPECT_EQ(nearest(std::string(63, 'm') + "n", keys), longest);
  EXPECT_EQ(nearest(std::string(65, 'm'), keys), "");
}

TEST(ConfigSuggest, KnowsWhereAKeyBelongs) {
  const auto hint = [](std::string_view key, std::string_view path) {
    return unknown_key_hint(key, path, {});
  };
  EXPECT_EQ(hint("max_idle", "upstreams.app"), "it belongs in upstreams.app.pool");
  EXPECT_EQ(hint("connect_timeout", "upstreams.app.pool"), "it belongs in upstreams.app");
  EXPECT_EQ(hint("keepalive_timeout", ""), "it belongs in listeners[] or upstreams.NAME.pool");
  EXPECT_EQ(hint("max_idle", "listeners[0]"), "it belongs in upstreams.NAME.pool");
  EXPECT_EQ(hint("upstream", ""), "it belongs in routes[]");
  EXPECT_EQ(hint("remove", "routes[12]"),
            "it belongs in routes[].request_headers or routes[].response_headers");
  EXPECT_EQ(hint("max_head", "upstreams.app.servers[3]"), "it belongs in listeners[]");
  EXPECT_EQ(hint("idle", "listeners[4]"), "it belongs in listeners[].tcp_keepalive");
  EXPECT_EQ(hint("workers", "listeners[0]"), "");  // a key of the top is not "in" anything
}

TEST(ConfigSuggest, KnowsOtherProgramsWords) {
  constexpr std::array<std::string_view, 3> kRoute = {"host", "path", "upstream"};
  EXPECT_EQ(unknown_key_hint("proxy_pass", "routes[0]", kRoute), "did you mean upstream?");
  EXPECT_EQ(unknown_key_hint("location", "routes[0]", kRoute), "did you mean path?");
  EXPECT_EQ(unknown_key_hint("maxconn", "upstreams.app.pool", kKeys),
            "did you mean max_connections?");
}

TEST(ConfigSuggest, KnowsWhereOtherProgramsWordsBelong) {
  EXPECT_EQ(unknown_key_hint("keepalive", "upstreams.app", {}),
            "here it is upstreams.app.pool.max_idle");
  EXPECT_EQ(unknown_key_hint("least_conn", "upstreams.app", {}),
            "here it is upstreams.app.balance: least_requests");
  EXPECT_EQ(unknown_key_hint("server_name", "listeners[0]", {}), "here it is routes[].host");
  EXPECT_EQ(unknown_key_hint("server_name", "upstreams.app", {}),
            "it belongs in upstreams.app.tls");
  const std::vector<std::string>& keys = all_keys();
  for (const std::string_view word : {"keepalive",
                                      "max_conns",
                                      "maxconn",
                                      "maxqueue",
                                      "max_requests",
                                      "least_conn",
                                      "leastconn",
                                      "roundrobin",
                                      "random",
                                      "ip_hash",
                                      "max_fails",
                                      "fail_timeout",
                                      "proxy_connect_timeout",
                                      "proxy_read_timeout",
                                      "proxy_send_timeout",
                                      "proxy_next_upstream",
                                      "proxy_set_header",
                                      "header_up",
                                      "add_header",
                                      "header_down",
                                      "proxy_hide_header",
                                      "proxy_request_buffering",
                                      "client_max_body_size",
                                      "client_body_timeout",
                                      "client_header_timeout",
                                      "large_client_header_buffers",
                                      "ssl_certificate",
                                      "ssl_certificate_key",
                                      "ssl_protocols",
                                      "ssl_ciphers",
                                      "location",
                                      "handle",
                                      "reverse_proxy",
                                      "proxy_pass",
                                      "use_backend",
                                      "default_backend",
                                      "set_real_ip_from",
                                      "real_ip_header",
                                      "worker_processes",
                                      "nbthread"}) {
    std::string hint = unknown_key_hint(word, "", {});
    ASSERT_TRUE(hint.starts_with("here it is ")) << word << ": " << hint;
    hint = hint.substr(11, hint.find(": ") - 11);
    if (const size_t name = hint.find("NAME"); name != std::string::npos)
      hint.replace(name, 4, "*");
    EXPECT_NE(std::find(keys.begin(), keys.end(), hint), keys.end())
        << word << ": there is no key " << hint;
  }
}

TEST(ConfigSuggest, ListsTheKeysWhereThereAreFew) {
  constexpr std::array<std::string_view, 3> kRoute = {"host", "path", "upstream"};
  EXPECT_EQ(unknown_key_hint("priority", "routes[0]", kRoute),
            "the keys here are host, path and upstream");
  constexpr std::array<std::string_view, 9> kNine = {"a1", "b2", "c3", "d4", "e5",
                                                     "f6", "g7", "h8", "i9"};
  EXPECT_EQ(unknown_key_hint("priority", "x", kNine),
            "the keys here are a1, b2, c3, d4, e5, f6, g7, h8 and i9");
  constexpr std::array<std::string_view, 10> kTen = {"a1", "b2", "c3", "d4", "e5",
                                                     "f6", "g7", "h8", "i9", "j0"};
  EXPECT_EQ(unknown_key_hint("priority", "x", kTen), "");
  constexpr std::array<std::string_view, 1> kServer = {"address"};
  EXPECT_EQ(unknown_key_hint("rank", "upstreams.app.servers[0]", kServer),
            "the only key here is address");
}

}  // namespace
}  // namespace berth::config
