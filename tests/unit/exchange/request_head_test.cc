#include "proxy/exchange/request_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "proxy/exchange/request_id.h"
#include "proxy/http/head_parser.h"

namespace berth::exchange {
namespace {

constexpr std::string_view kFreshId = "0123456789abcdef0123456789abcdef";

// What a test sets up, and a head as the server gets it.
class RequestHeadTest : public testing::Test {
 protected:
  // `lines`: the fields, each with CRLF.
  std::string forward(const std::string& start, const std::string& lines) {
    return forward_text(start + "\r\n" + lines + "\r\n");
  }

  std::string get(const std::string& lines) {
    return forward("GET /path?q HTTP/1.1", "Host: app.test\r\n" + lines);
  }

  std::string forward_text(const std::string& text) {
    received = text;
    http::HeadProgress progress;
    const http::HeadLimits limits{.max_head = 1 << 20, .max_target = 1 << 20};
    const auto outcome = http::HeadParser::parse(received, limits, progress, *head);
    EXPECT_EQ(outcome.status, http::ParseStatus::Complete) << text;
    const ClientFacts client{.peer = peer, .stats = *stats, .secure = secure, .trusted = trusted};
    const RequestFilter filter(forwarding, rules, subjects, trusted);
    out = forward_head(*head, outcome.head_size, client,
                       {.forwarding = forwarding,
                        .headers = rules,
                        .upstream = "backend",
                        .fresh_id = kFreshId,
                        .instance = instance,
                        .filter = filter,
                        .expect = expect},
                       upgrade);
    // Nothing has grown beyond what was reserved: the views would point nowhere.
    EXPECT_EQ(out.bytes.view().substr(0, out.head_size), out.head());
    const auto inside = [this](std::string_view view) {
      return view.empty() ||
             (out.bytes.contains(view.data()) && out.bytes.contains(view.data() + view.size() - 1));
    };
    for (const std::string_view view :
         {out.request_id, out.method, out.target, out.host, out.user_agent, out.referer}) {
      EXPECT_TRUE(inside(view));
    }
    return std::string(out.head());
  }

  void peer_is(const std::string& address) { peer = *net::Address::parse(address); }

  net::Address peer = *net::Address::parse("192.0.2.7:50000");
  std::unique_ptr<stats::ListenerStats> stats = std::make_unique<stats::ListenerStats>();
  bool secure = false;
  bool expect = true;
  bool trusted = false;
  bool upgrade = false;
  config::Forwarding forwarding;
  config::HeaderRules rules;
  std::vector<std::string> subjects;
  std::string instance;

  std::string received;
  std::unique_ptr<http::RequestHead> head = std::make_unique<http::RequestHead>();
  ForwardedHead out;
};

// The lines of a head that have this name, without it.
std::vector<std::string> values(const std::string& head, const std::string& name) {
  std::vector<std::string> all;
  const std::string start = "\r\n" + name + ": ";
  for (size_t at = head.find(start); at != std::string::npos; at = head.find(start, at + 1)) {
    const size_t from = at + start.size();
    all.push_back(head.substr(from, head.find("\r\n", from) - from));
  }
  return all;
}

using Values = std::vector<std::string>;

TEST_F(RequestHeadTest, IsTheClientsPlusWhatBerthHasToSay) {
  EXPECT_EQ(get("User-Agent: curl\r\nAccept: */*\r\n"),
            "GET /path?q HTTP/1.1\r\n"
            "Host: app.test\r\n"
            "User-Agent: curl\r\n"
            "Accept: */*\r\n"
            "X-Forwarded-For: 192.0.2.7\r\n"
            "X-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: app.test\r\n"
            "X-Request-Id: 0123456789abcdef0123456789abcdef\r\n"
            "\r\n");
}

TEST_F(RequestHeadTest, KeepsTheOrderAndTheSpellingOfTheFields) {
  const std::string sent = get("b: 2\r\nA:1\r\nC: \t 3 \r\nb: 4\r\nEmpty:\r\n");
  EXPECT_NE(
      sent.find("Host: app.test\r\nb: 2\r\nA: 1\r\nC: 3\r\nb: 4\r\nEmpty: \r\nX-Forwarded-For"),
      std::string::npos)
      << sent;
}

TEST_F(RequestHeadTest, SpeaksHttp11WhateverTheClientSpoke) {
  EXPECT_TRUE(forward("GET / HTTP/1.0", "Host: app.test\r\n").starts_with("GET / HTTP/1.1\r\n"));
}

TEST_F(RequestHeadTest, AnHttp10RequestWithoutHostGetsTheUpstreamsName) {
  const std::string sent = forward("GET / HTTP/1.0", "");
  EXPECT_EQ(values(sent, "Host"), Values{"backend"});
  EXPECT_EQ(values(sent, "X-Forwarded-Host"), Values{});
  EXPECT_EQ(out.host, "");
}

TEST_F(RequestHeadTest, AnHttp10RequestWithoutHostIsSentTheOneInItsTarget) {
  const std::string sent = forward("GET http://app.test/x HTTP/1.0", "");
  EXPECT_EQ(values(sent, "Host"), Values{"app.test"});
}

TEST_F(RequestHeadTest, AnAbsoluteTargetIsSentInOriginForm) {
  const std::string sent = forward("GET http://app.test/x?y HTTP/1.1", "Host: app.test\r\n");
  EXPECT_TRUE(sent.starts_with("GET /x?y HTTP/1.1\r\nHost: app.test\r\n")) << sent;
  EXPECT_EQ(out.target, "http://app.test/x?y");
  EXPECT_TRUE(
      forward("GET http://app.test HTTP/1.1", "Host: app.test\r\n").starts_with("GET / HTTP"));
}

TEST_F(RequestHeadTest, ExtensionMethodsAreCarriedAsTheyAre) {
  EXPECT_TRUE(forward("PURGE /x HTTP/1.1", "Host: a\r\n").starts_with("PURGE /x HTTP/1.1\r\n"));
  EXPECT_EQ(out.method, "PURGE");
}

TEST_F(RequestHeadTest, OptionsForTheWholeServerKeepsItsStar) {
  EXPECT_TRUE(forward("OPTIONS * HTTP/1.1", "Host: a\r\n").starts_with("OPTIONS * HTTP/1.1\r\n"));
}

// --- Between client and proxy

TEST_F(RequestHeadTest, HopByHopFieldsStayHere) {
  const std::string sent =
      get("Connection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nProxy-Connection: "
          "keep-alive\r\n"
          "TE: trailers\r\nX-Private: secret\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\n"
          "X-Public: yes\r\n");
  for (const char* name : {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "X-Private",
                           "Proxy-Authorization", "Upgrade"}) {
    EXPECT_EQ(values(sent, name), Values{}) << name;
  }
  EXPECT_EQ(values(sent, "X-Public"), Values{"yes"});
}

TEST_F(RequestHeadTest, ViaNamesThisProxyBehindTheOthers) {
  instance = "berth-1";
  EXPECT_EQ(values(get("Via: 1.0 a, 1.1 b\r\n"), "Via"), (Values{"1.0 a, 1.1 b", "1.1 berth-1"}));
  EXPECT_EQ(values(forward("GET / HTTP/1.0", ""), "Via"), Values{"1.0 berth-1"});
  forwarding.via = false;
  EXPECT_EQ(values(get("Via: 1.0 a\r\n"), "Via"), Values{"1.0 a"});
  forwarding.via = true;
  rules.set = {{"Via", "mine"}};
  EXPECT_EQ(values(get("Via: 1.0 a\r\n"), "Via"), Values{"mine"});
}

// --- What only a proxy may say

TEST_F(RequestHeadTest, StrangersCannotSayWhatProxiesSay) {
  const std::string lines =
      "X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /evil\r\nX-Real-IP: 6.6.6.6\r\n"
      "x_forwarded_for: 7.7.7.7\r\nX-Original-URL: /admin\r\nX-Rewrite-Url: /admin\r\n"
      "X-Client-IP: 8.8.8.8\r\nX_Request_Id: x\r\nForwarded: for=9.9.9.9\r\nX-Own: 1\r\n";
  const std::string sent = get(lines);
  for (const char* name :
       {"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-IP", "x_forwarded_for", "X-Original-URL",
        "X-Rewrite-Url", "X-Client-IP", "X_Request_Id", "Forwarded"}) {
    EXPECT_EQ(values(sent, name), Values{}) << name;
  }
  EXPECT_EQ(values(sent, "X-Own"), Values{"1"});
  trusted = true;
  const std::string believed = get(lines);
  EXPECT_EQ(values(believed, "X-Forwarded-Prefix"), Values{"/evil"});
  EXPECT_EQ(values(believed, "X-Real-IP"), Values{"6.6.6.6"});
  EXPECT_EQ(values(believed, "x_forwarded_for"), Values{});
}

TEST_F(RequestHeadTest, WhatIsStrippedIsAList) {
  forwarding.strip = {"X-Own-*", "Cookie"};
  const std::string sent = get("X-Real-IP: 1\r\nx_own_name: 2\r\nCookie: a=b\r\nX-Own: 3\r\n");
  EXPECT_EQ(values(sent, "X-Real-IP"), Values{"1"});
  EXPECT_EQ(values(sent, "x_own_name"), Values{});
  EXPECT_EQ(values(sent, "Cookie"), Values{});
  EXPECT_EQ(values(sent, "X-Own"), Values{"3"});
}

TEST_F(RequestHeadTest, NamesThatAServerMayTakeForThoseOfFramingStayHere) {
  trusted = true;
  const std::string sent =
      get("Content_Length: 5\r\ntransfer_encoding: chunked\r\nKeep_Alive: 1\r\nUser_Agent: x\r\n");
  for (const char* name : {"Content_Length", "transfer_encoding", "Keep_Alive"}) {
    EXPECT_EQ(values(sent, name), Values{}) << name;
  }
  EXPECT_EQ(values(sent, "User_Agent"), Values{"x"});
}

TEST_F(RequestHeadTest, RulesAndCertificatesGoByTheSameNames) {
  rules.remove = {"X-Secret"};
  rules.set = {{"X_Role", "user"}};
  subjects = {"Client-Subject"};
  const std::string sent =
      get("x_secret: 1\r\nX-Role: admin\r\nCLIENT_SUBJECT: CN=admin\r\nX-Other: 2\r\n");
  EXPECT_EQ(values(sent, "x_secret"), Values{});
  EXPECT_EQ(values(sent, "X-Role"), Values{});
  EXPECT_EQ(values(sent, "X_Role"), Values{"user"});
  EXPECT_EQ(values(sent, "CLIENT_SUBJECT"), Values{});
  EXPECT_EQ(values(sent, "X-Other"), Values{"2"});
}

TEST_F(RequestHeadTest, WithoutRequestIdsATrustedProxysPasses) {
  forwarding.request_id = false;
  EXPECT_EQ(values(get("X-Request-Id: x\r\n"), "X-Request-Id"), Values{});
  trusted = true;
  EXPECT_EQ(values(get("X-Request-Id: x\r\n"), "X-Request-Id"), Values{"x"});
}

TEST_F(RequestHeadTest, NobodyCanStripWhatBerthAddsByNamingIt) {
  const std::string sent =
      get("Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Request-Id, Host, "
          "Cookie\r\n"
          "Cookie: a=b\r\n");
  EXPECT_EQ(values(sent, "X-Forwarded-For"), Values{"192.0.2.7"});
  EXPECT_EQ(values(sent, "X-Forwarded-Proto"), Values{"http"});
  EXPECT_EQ(values(sent, "X-Forwarded-Host"), Values{"app.test"});
  EXPECT_EQ(values(sent, "X-Request-Id"), Values{std::string(kFreshId)});
  EXPECT_EQ(values(sent, "Host"), Values{"app.test"});
  EXPECT_EQ(values(sent, "Cookie"), Values{"a=b"});
}

TEST_F(RequestHeadTest, AChunkedBodyStaysChunkedAndALengthALength) {
  const std::string chunked =
      forward("POST / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n");
  EXPECT_EQ(values(chunked, "Transfer-Encoding"), Values{"chunked"});
  EXPECT_EQ(values(chunked, "Trailer"), Values{"x"});
  const std::string sized = forward("POST / HTTP/1.1", "Host: a\r\nContent-Length: 12\r\n");
  EXPECT_EQ(values(sized, "Content-Length"), Values{"12"});
  EXPECT_EQ(values(sized, "Transfer-Encoding"), Values{});
}

TEST_F(RequestHeadTest, AnExpectationGoesOnIfThereIsABodyToWaitFor) {
  EXPECT_EQ(
      values(forward("POST / HTTP/1.1", "Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"),
             "Expect"),
      Values{"100-continue"});
  // RFC 9110 section 10.1.1: of an HTTP/1.0 client, or without a body, it is ignored.
  EXPECT_EQ(
      values(forward("POST / HTTP/1.0", "Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"),
             "Expect"),
      Values{});
  EXPECT_EQ(values(get("Expect: 100-continue\r\n"), "Expect"), Values{});
}

TEST_F(RequestHeadTest, AnExpectationThatBerthHasAnsweredGoesNoFurther) {
  expect = false;
  EXPECT_EQ(
      values(forward("POST / HTTP/1.1", "Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"),
             "Expect"),
      Values{});
}

TEST_F(RequestHeadTest, AnUpgradeIsCarriedOnlyWhenItIsToBe) {
  const std::string lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n";
  std::string sent = get(lines);
  EXPECT_EQ(values(sent, "Connection"), Values{});
  EXPECT_EQ(values(sent, "Upgrade"), Values{});
  upgrade = true;
  sent = get(lines);
  EXPECT_EQ(values(sent, "Connection"), Values{"upgrade"});
  EXPECT_EQ(values(sent, "Upgrade"), Values{"websocket"});
  EXPECT_EQ(values(sent, "Sec-WebSocket-Key"), Values{"k"});
}

// --- Who the client is

TEST_F(RequestHeadTest, WhatAnUntrustedClientSaysOfItselfIsReplaced) {
  const std::string sent =
      get("X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n"
          "X-Forwarded-Host: evil.test\r\nX-Request-Id: chosen\r\nForwarded: for=1.1.1.1\r\n");
  EXPECT_EQ(values(sent, "X-Forwarded-For"), Values{"192.0.2.7"});
  EXPECT_EQ(values(sent, "X-Forwarded-Proto"), Values{"http"});
  EXPECT_EQ(values(sent, "X-Forwarded-Host"), Values{"app.test"});
  EXPECT_EQ(values(sent, "X-Request-Id"), Values{std::string(kFreshId)});
  for (const char* forged : {"1.1.1.1", "2.2.2.2", "evil.test", "chosen"}) {
    EXPECT_EQ(sent.find(forged), std::string::npos) << forged;
  }
  EXPECT_EQ(out.request_id, kFreshId);
}

TEST_F(RequestHeadTest, WhatATrustedProxySaysIsKeptAndAddedTo) {
  trusted = true;
  const std::string sent =
      get("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-Proto: "
          "https\r\n"
          "X-Forwarded-Host: public.test\r\nX-Request-Id: theirs\r\n");
  EXPECT_EQ(values(sent, "X-Forwarded-For"), Values{"1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7"});
  EXPECT_EQ(values(sent, "X-Forwarded-Proto"), Values{"https"});
  EXPECT_EQ(values(sent, "X-Forwarded-Host"), Values{"public.test"});
  EXPECT_EQ(values(sent, "X-Request-Id"), Values{"theirs"});
  EXPECT_EQ(out.request_id, "theirs");
}

TEST_F(RequestHeadTest, ATrustedProxyThatSaysNothingIsNoDifferentFromAClient) {
  trusted = true;
  const std::string sent = get("X-Forwarded-For:\r\n");
  EXPECT_EQ(values(sent, "X-Forwarded-For"), Values{"192.0.2.7"});
  EXPECT_EQ(values(sent, "X-Forwarded-Proto"), Values{"http"});
  EXPECT_EQ(values(sent, "X-Forwarded-Host"), Values{"app.test"});
  EXPECT_EQ(values(sent, "X-Request-Id"), Values{std::string(kFreshId)});
}

TEST_F(RequestHeadTest, AnEmptyIdOfATrustedProxyIsNone) {
  trusted = true;
  EXPECT_EQ(values(get("X-Request-Id:\r\n"), "X-Request-Id"), Values{std::string(kFreshId)});
}

TEST_F(RequestHeadTest, ASecureClientIsSaidToBe) {
  secure = true;
  forwarding.forwarded = true;
  const std::string sent = get("");
  EXPECT_EQ(values(sent, "X-Forwarded-Proto"), Values{"https"});
  EXPECT_EQ(values(sent, "Forwarded"), Values{"for=192.0.2.7;host=\"app.test\";proto=https"});
}

TEST_F(RequestHeadTest, EveryKindOfPeerHasItsForm) {
  forwarding.forwarded = true;
  const struct {
    const char* peer;
    const char* x_forwarded_for;
    const char* forwarded;
  } kPeers[] = {
      {"10.0.0.1:9", "10.0.0.1", "for=10.0.0.1;host=\"app.test\";proto=http"},
      {"[2001:db8::1]:9", "2001:db8::1", "for=\"[2001:db8::1]\";host=\"app.test\";proto=http"},
      {"unix:/x", "unix", "for=unknown;host=\"app.test\";proto=http"},
  };
  for (const auto& row : kPeers) {
    peer_is(row.peer);
    const std::string sent = get("");
    EXPECT_EQ(values(sent, "X-Forwarded-For"), Values{row.x_forwarded_for});
    EXPECT_EQ(values(sent, "Forwarded"), Values{row.forwarded});
  }
}

TEST_F(RequestHeadTest, ForwardedIsSentOnRequestOnly) {
  EXPECT_EQ(values(get(""), "Forwarded"), Values{});
  trusted = true;
  EXPECT_EQ(values(get("Forwarded: for=1.1.1.1\r\n"), "Forwarded"), Values{})
      << "Berth cannot add to it, so it does not pass as complete";
  forwarding.forwarded = true;
  EXPECT_EQ(values(get("Forwarded: for=1.1.1.1\r\nForwarded: for=2.2.2.2;by=x\r\n"), "Forwarded"),
            Values{"for=1.1.1.1, for=2.2.2.2;by=x, for=192.0.2.7;host=\"app.test\";proto=http"});
  trusted = false;
  EXPECT_EQ(values(get("Forwarded: for=1.1.1.1\r\n"), "Forwarded"),
            Values{"for=192.0.2.7;host=\"app.test\";proto=http"});
}

TEST_F(RequestHeadTest, ForwardedWithoutHostHasNone) {
  forwarding.forwarded = true;
  EXPECT_EQ(values(forward("GET / HTTP/1.0", ""), "Forwarded"), Values{"for=192.0.2.7;proto=http"});
}

TEST_F(RequestHeadTest, AnIpv6HostIsQuotedInForwarded) {
  forwarding.forwarded = true;
  EXPECT_EQ(values(forward("GET / HTTP/1.1", "Host: [::1]:8080\r\n"), "Forwarded"),
            Values{"for=192.0.2.7;host=\"[::1]:8080\";proto=http"});
}

TEST_F(RequestHeadTest, RequestIdsCanBeSwitchedOff) {
  forwarding.request_id = false;
  EXPECT_EQ(values(get("X-Request-Id: forged\r\n"), "X-Request-Id"), Values{});
  EXPECT_EQ(out.request_id, "");
}

// --- The route's rules

TEST_F(RequestHeadTest, ARouteAddsReplacesAndRemoves) {
  rules.set = {{"X-Added", "new"}, {"x-replaced", "ours"}};
  rules.remove = {"cookie", "X-Absent"};
  const std::string sent =
      get("X-Replaced: theirs\r\nX-REPLACED: again\r\nCookie: a=b\r\nX-Kept: kept\r\n");
  EXPECT_EQ(values(sent, "X-Added"), Values{"new"});
  EXPECT_EQ(values(sent, "x-replaced"), Values{"ours"});
  EXPECT_EQ(values(sent, "X-Replaced"), Values{});
  EXPECT_EQ(values(sent, "X-REPLACED"), Values{});
  EXPECT_EQ(values(sent, "Cookie"), Values{});
  EXPECT_EQ(values(sent, "X-Kept"), Values{"kept"});
}

TEST_F(RequestHeadTest, ARouteMayOverrideWhatBerthWritesItself) {
  forwarding.forwarded = true;
  rules.set = {{"x-forwarded-for", "hidden"},
               {"X-Forwarded-Proto", "https"},
               {"Host", "inner.test"},
               {"X-Request-Id", "fixed"}};
  rules.remove = {"X-Forwarded-Host", "forwarded"};
  const std::string sent = get("");
  EXPECT_EQ(values(sent, "x-forwarded-for"), Values{"hidden"});
  EXPECT_EQ(values(sent, "X-Forwarded-For"), Values{});
  EXPECT_EQ(values(sent, "X-Forwarded-Proto"), Values{"https"});
  EXPECT_EQ(values(sent, "Host"), Values{"inner.test"});
  EXPECT_EQ(values(sent, "X-Request-Id"), Values{"fixed"});
  EXPECT_EQ(values(sent, "X-Forwarded-Host"), Values{});
  EXPECT_EQ(values(sent, "Forwarded"), Values{});
  EXPECT_EQ(out.request_id, "");
  EXPECT_EQ(out.host, "app.test") << "the log shows what was received";
}

TEST_F(RequestHeadTest, ASetHostAlsoServesARequestThatHasNone) {
  rules.set = {{"host", "inner.test"}};
  const std::string sent = forward("GET / HTTP/1.0", "");
  EXPECT_EQ(values(sent, "host"), Values{"inner.test"});
  EXPECT_EQ(values(sent, "Host"), Values{});
}

TEST_F(RequestHeadTest, RemovingDoesNotLetAForgedFieldThrough) {
  rules.remove = {"X-Forwarded-For"};
  EXPECT_EQ(values(get("X-Forwarded-For: 1.1.1.1\r\n"), "X-Forwarded-For"), Values{});
}

TEST(Overridden, IsCaseInsensitiveAndLooksAtWholeNames) {
  config::HeaderRules rules;
  EXPECT_FALSE(overridden(rules, "X-A"));
  rules.set = {{"X-Set", "1"}};
  rules.remove = {"X-Removed"};
  for (const char* name : {"X-Set", "x-set", "X-SET", "X-Removed", "x-removed"}) {
    EXPECT_TRUE(overridden(rules, name)) << name;
  }
  for (const char* name : {"X-Se", "X-Set2", "", "X-Remove", "1"}) {
    EXPECT_FALSE(overridden(rules, name)) << name;
  }
}

// --- For the log

TEST_F(RequestHeadTest, KeepsWhatTheLogWillAskForAfterTheRequestIsGone) {
  forward(
      "POST http://app.test/x?y HTTP/1.1",
      "Host: app.test\r\nUser-Agent: the agent\r\nReferer: http://from.test/\r\nContent-Length: "
      "0\r\n");
  received.assign(received.size(), '#');  // its bytes are gone
  EXPECT_EQ(out.method, "POST");
  EXPECT_EQ(out.target, "http://app.test/x?y");
  EXPECT_EQ(out.host, "app.test");
  EXPECT_EQ(out.user_agent, "the agent");
  EXPECT_EQ(out.referer, "http://from.test/");
  EXPECT_EQ(out.request_id, kFreshId);
  EXPECT_TRUE(out.head().ends_with("\r\n\r\n"));
}

TEST_F(RequestHeadTest, WhatIsAbsentIsEmptyInTheLog) {
  get("");
  EXPECT_EQ(out.user_agent, "");
  EXPECT_EQ(out.referer, "");
  EXPECT_EQ(out.head_size, out.head().size());
}

TEST_F(RequestHeadTest, TheSameTextsMoveWithTheResult) {
  get("User-Agent: ua\r\n");
  const ForwardedHead moved = std::move(out);
  EXPECT_EQ(moved.user_agent, "ua");
  EXPECT_EQ(moved.request_id, kFreshId);
}

// --- Never longer than what was reserved for it

TEST_F(RequestHeadTest, TheLargestHeadsFit) {
  forwarding.forwarded = true;
  trusted = true;
  upgrade = false;
  peer_is("[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
  const std::string long_host(255, 'h');
  // As many fields as the parser takes, in the shortest form: each grows by a blank.
  std::string shortest;
  for (int i = 0; i < 127; ++i) shortest += "a:\r\n";
  forward("GET / HTTP/1.1", "Host:" + long_host + "\r\n" + shortest);
  // Fields that are joined into one.
  std::string joined;
  for (int i = 0; i < 127; ++i) joined += "X-Forwarded-For:1\r\n";
  forward("GET / HTTP/1.1", "Host:h\r\n" + joined);
  joined.clear();
  for (int i = 0; i < 127; ++i) joined += "Forwarded:f\r\n";
  forward("GET / HTTP/1.1", "Host:h\r\n" + joined);
  // A long target, which the log keeps; a long agent and referer.
  const std::string lump(60'000, 'x');
  forward("GET /" + lump + " HTTP/1.1",
          "Host:h\r\nUser-Agent:" + lump + "\r\nReferer:" + lump + "\r\n");
  EXPECT_EQ(out.referer, lump);
  forward("GET http://" + long_host + "/" + lump + " HTTP/1.1", "Host:" + long_host + "\r\n");
  forward("GET http://" + long_host + " HTTP/1.0", "");
  // Many short rules, each with its colon, blank and line end.
  for (int i = 0; i < 300; ++i) rules.set.emplace_back("X", "");
  forward("GET /" + lump + " HTTP/1.1", "Host:h\r\nUser-Agent:" + lump + "\r\n");
  rules.set.clear();
  // Rules of the largest kind.
  for (int i = 0; i < 50; ++i)
    rules.set.emplace_back("X-" + std::to_string(i), std::string(8192, 'v'));
  forward("GET / HTTP/1.1", "Host:h\r\n");
}

TEST_F(RequestHeadTest, NoMixtureOfHeadsAndRulesOverflows) {
  std::mt19937_64 random(11);
  const auto below = [&](uint64_t n) { return random() % n; };
  const auto text = [&](uint64_t most) { return std::string(below(most + 1), 'v'); };
  static constexpr const char* kNames[] = {
      "a",          "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
      "User-Agent", "Referer",         "X-Request-Id",      "Accept",           "Cookie",
      "X-B"};
  for (int round = 0; round < 3000; ++round) {
    trusted = below(2) == 0;
    secure = below(2) == 0;
    forwarding.forwarded = below(2) == 0;
    forwarding.request_id = below(4) != 0;
    peer_is(below(2) == 0 ? "[1111:2222:3333:4444:5555:6666:7777:8888]:1" : "255.255.255.255:1");
    rules = {};
    for (uint64_t i = below(4); i > 0; --i) rules.set.emplace_back(kNames[below(11)], text(300));
    for (uint64_t i = below(3); i > 0; --i) rules.remove.emplace_back(kNames[below(11)]);
    const bool http10 = below(4) == 0;
    const std::string host = std::string(1 + below(255), 'h');
    const bool absolute = below(3) == 0;
    const std::string target = (absolute ? "http://" + host : std::string()) + "/" + text(2000);
    std::string lines = http10 && below(2) == 0 ? "" : "Host:" + host + "\r\n";
    for (uint64_t i = below(127); i > 0; --i) {
      lines += std::string(kNames[below(11)]) + (below(2) == 0 ? ":" : ": ") +
               (below(8) == 0 ? text(500) : text(3)) + "\r\n";
    }
    std::string method = "GET";
    if (below(3) == 0) {
      method = "POST";
      lines += "Transfer-Encoding:chunked\r\n";
      if (http10) lines.erase(lines.size() - 27);
    }
    forward(method + " " + target + (http10 ? " HTTP/1.0" : " HTTP/1.1"), lines);
    if (HasFailure()) return;
  }
}

TEST(RequestId, IsThirtyTwoHexDigitsAndNewEachTime) {
  Random random(1);
  const RequestId one(random);
  const RequestId two(random);
  EXPECT_EQ(one.text().size(), 32u);
  EXPECT_EQ(one.text().find_first_not_of("0123456789abcdef"), std::string_view::npos);
  EXPECT_NE(one.text(), two.text());
}

TEST(RequestId, HoldsAll128BitsOfTheRandomNumbers) {
  Random random(5);
  Random same(5);
  const RequestId id(random);
  const uint64_t words[2] = {same.next(), same.next()};
  for (size_t i = 0; i < 32; ++i) {
    const uint64_t nibble = (words[i / 16] >> (4 * (i % 16))) & 15;
    EXPECT_EQ(id.text()[i], "0123456789abcdef"[nibble]) << i;
  }
}

}  // namespace
}  // namespace berth::exchange
