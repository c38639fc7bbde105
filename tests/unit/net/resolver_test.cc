#include "proxy/net/resolver.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "proxy/base/unique_fd.h"

namespace berth::net {
namespace {

// A name server that gives every host the same answers. On a thread of its own, because the
// resolver under test may wait for it.
class NameServer {
 public:
  struct Says {
    std::vector<std::string> v4;  // "10.0.0.1"
    uint32_t ttl = 30;
    int code = 0;            // 3: no such name
    bool silent_v6 = false;  // AAAA is refused
  };

  explicit NameServer(Says says) : says_(std::move(says)) {
    fd_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    socklen_t length = sizeof any;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&any), &length);
    address_ = "127.0.0.1:" + std::to_string(ntohs(any.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  NameServer(const NameServer&) = delete;
  ~NameServer() {
    stop_ = true;
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  void serve() {
    while (!stop_) {
      pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 10) <= 0) continue;
      char bytes[512];
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const ssize_t got = ::recvfrom(fd_.get(), bytes, sizeof bytes, 0,
                                     reinterpret_cast<sockaddr*>(&peer), &length);
      if (got < 17) continue;
      const std::string reply = answer(std::string(bytes, static_cast<size_t>(got)));
      ::sendto(fd_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&peer),
               length);
    }
  }

  std::string answer(std::string query) const {
    size_t end = 12;  // of the question's name
    while (query[end] != 0) end += static_cast<unsigned char>(query[end]) + 1U;
    const bool v4 = query[end + 2] == 1;
    std::string reply = query.substr(0, end + 5);
    const size_t count = v4 && says_.code == 0 ? says_.v4.size() : 0;
    const int code = !v4 && says_.silent_v6 ? 2 : says_.code;
    reply[2] = static_cast<char>(0x81);
    reply[3] = static_cast<char>(0x80 | code);
    reply[6] = 0;
    reply[7] = static_cast<char>(count);
    reply[8] = reply[9] = reply[10] = reply[11] = 0;
    for (size_t i = 0; i < count; ++i) {
      const auto address = Address::parse(says_.v4[i] + ":1");
      reply += std::string("\xc0\x0c\0\1\0\1", 6);
      for (int shift = 24; shift >= 0; shift -= 8) reply += static_cast<char>(says_.ttl >> shift);
      reply += std::string("\0\4", 2);
      reply.append(reinterpret_cast<const char*>(address->ip().data()), 4);
    }
    return reply;
  }

  const Says says_;
  UniqueFd fd_;
  std::string address_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> out;
  for (const Address& address : addresses) out.push_back(address.to_string());
  return out;
}

using Texts = std::vector<std::string>;

TEST(ResolverThreaded, AddressesWithTheirTimeToLive) {
  const NameServer server({.v4 = {"10.0.0.1", "10.0.0.2", "10.0.0.1"}, .ttl = 7});
  const Resolution found = resolve_now({server.address()}, "app.test", 3000);
  EXPECT_EQ(texts(found.addresses), Texts({"10.0.0.1:3000", "10.0.0.2:3000"}));
  EXPECT_EQ(found.ttl, std::chrono::seconds(7));
  EXPECT_FALSE(found.v4_unknown);
  EXPECT_FALSE(found.v6_unknown);
}

TEST(ResolverThreaded, NoSuchName) {
  const NameServer server({.v4 = {}, .code = 3});
  const Resolution found = resolve_now({server.address()}, "app.test", 3000);
  EXPECT_EQ(found.addresses.size(), 0u);
  EXPECT_NE(found.error, "");
  EXPECT_FALSE(found.v4_unknown);
}

TEST(ResolverThreaded, AnAnswerToOneOfTwoQuestions) {
  const NameServer server({.v4 = {"10.0.0.1"}, .silent_v6 = true});
  const Resolution found = resolve_now({server.address()}, "app.test", 3000);
  EXPECT_EQ(texts(found.addresses), Texts({"10.0.0.1:3000"}));
  EXPECT_TRUE(found.v6_unknown);
}

class Heard final : public ResolveHandler {
 public:
  void on_resolved(const Resolution& resolution) override {
    ++times;
    last = resolution;
  }
  int times = 0;
  Resolution last;
};

TEST(ResolverThreaded, WhoHasForgottenIsNotTold) {
  const NameServer server({.v4 = {"10.0.0.1"}});
  event::Loop loop;
  Resolver resolver(loop, {server.address()});
  Heard forgotten;
  Heard heard;
  resolver.ask("app.test", 1, forgotten);
  resolver.forget(forgotten);
  resolver.ask("app.test", 1, heard);  // answered behind the other one
  while (heard.times == 0) event_base_loop(loop.base(), EVLOOP_ONCE);
  EXPECT_EQ(forgotten.times, 0);
}

TEST(ResolverThreaded, NobodyIsToldByAResolverThatIsGone) {
  const NameServer server({.v4 = {"10.0.0.1"}});
  event::Loop loop;
  Heard heard;
  {
    Resolver resolver(loop, {server.address()});
    resolver.ask("app.test", 1, heard);
  }
  event_base_loop(loop.base(), EVLOOP_NONBLOCK);
  EXPECT_EQ(heard.times, 0);
}

class HostsFile {
 public:
  explicit HostsFile(const std::string& text)
      : path_(testing::TempDir() + "berth-hosts-" + std::to_string(::getpid())) {
    std::ofstream(path_) << text;
    ::setenv("CARES_HOSTS", path_.c_str(), 1);
  }
  HostsFile(const HostsFile&) = delete;
  ~HostsFile() {
    ::unsetenv("CARES_HOSTS");
    std::remove(path_.c_str());
  }

 private:
  std::string path_;
};

// What the hosts file says; nothing is asked of the name server, which is not there.
Texts in_hosts(const std::string& host) {
  event::Loop loop;
  Resolver resolver(loop, {"127.0.0.1:1"});
  Heard heard;
  resolver.ask(host, 80, heard);
  if (heard.times == 0) return {"asked"};
  EXPECT_EQ(heard.last.ttl, Duration::max());
  return texts(heard.last.addresses);
}

TEST(ResolverTest, NamesInTheHostsFileAreNotAskedFor) {
  const HostsFile file(
      "# comment app\n"
      "127.0.0.1\tlocalhost\n"
      "10.0.0.1 App.Test app # app2\n"
      "fd00::1 app.test\n"
      "nonsense app\n"
      "\n"
      "10.0.0.2 app.test\n");
  Texts both = in_hosts("app.test");
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, Texts({"10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"}));
  EXPECT_EQ(in_hosts("app"), Texts({"10.0.0.1:80"}));
  EXPECT_EQ(in_hosts("app2"), Texts({"asked"}));
  EXPECT_EQ(in_hosts("pp"), Texts({"asked"}));
}

TEST(ResolverThreaded, MoreAddressesThanFitAPlainDatagram) {
  NameServer::Says says;
  Texts all;
  for (int i = 1; i <= 60; ++i) {
    says.v4.push_back("10.0.0." + std::to_string(i));
    all.push_back(says.v4.back() + ":1");
  }
  const NameServer server(says);
  const Resolution found = resolve_now({server.address()}, "app.test", 1);
  EXPECT_EQ(texts(found.addresses), all);
}

}  // namespace
}  // namespace berth::net
