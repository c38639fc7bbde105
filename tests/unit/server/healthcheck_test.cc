#include "proxy/server/healthcheck.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "proxy/base/unique_fd.h"
#include "proxy/net/address.h"
#include "proxy/net/listener.h"

namespace berth::server {
namespace {

// Answers one request with what it was told, and closes.
class OneAnswer {
 public:
  explicit OneAnswer(const std::string& answer, const std::string& address = "127.0.0.1:0")
      : listener_(net::listen_on(*net::Address::parse_listen(address), 1, 0600)),
        thread_([this, answer] { serve(answer); }) {}
  OneAnswer(const OneAnswer&) = delete;
  ~OneAnswer() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);  // nobody came: wakes the accept
    thread_.join();
  }

  net::Address address() const { return net::Address::of_socket(listener_.get()); }
  // Of the request, once the check is over.
  std::string request() {
    thread_.join();
    thread_ = std::thread([] {});
    return request_;
  }

 private:
  void serve(const std::string& answer) {
    UniqueFd fd;
    while (!fd && !stopping_) {
      pollfd ready{.fd = listener_.get(), .events = POLLIN, .revents = 0};
      ::poll(&ready, 1, -1);
      fd = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    char bytes[1024];
    while (request_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
      if (got <= 0) return;
      request_.append(bytes, static_cast<size_t>(got));
    }
    EXPECT_EQ(::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(answer.size()));
  }

  UniqueFd listener_;
  std::atomic<bool> stopping_{false};
  std::string request_;
  std::thread thread_;
};

int check(const std::string& address, std::string& complaint) {
  testing::internal::CaptureStderr();
  const int code = run_healthcheck(address);
  complaint = testing::internal::GetCapturedStderr();
  return code;
}

TEST(HealthcheckThreaded, AWellOneAnswers200) {
  OneAnswer admin("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
  std::string complaint;
  EXPECT_EQ(check(admin.address().to_string(), complaint), 0);
  EXPECT_EQ(complaint, "");
  EXPECT_TRUE(admin.request().starts_with("GET /healthz HTTP/1.0\r\n"));
}

TEST(HealthcheckThreaded, EverythingElseIsNotWell) {
  for (const char* answer : {"HTTP/1.1 503 Service Unavailable\r\n\r\n",
                             "HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 201 Created\r\n\r\n",
                             "HTTP/1.1  200 OK\r\n\r\n", "hello, who are you?", "", "HTTP/1.1"}) {
    OneAnswer admin(answer);
    const std::string address = admin.address().to_string();
    std::string complaint;
    EXPECT_EQ(check(address, complaint), 1) << answer;
    EXPECT_EQ(complaint, "berth: " + address + ": not well\n") << answer;
  }
}

TEST(HealthcheckThreaded, AnAddressWithoutHostIsThisMachine) {
  OneAnswer admin("HTTP/1.1 200 OK\r\n\r\n");
  std::string complaint;
  EXPECT_EQ(check(":" + std::to_string(admin.address().port()), complaint), 0) << complaint;
}

TEST(HealthcheckThreaded, UnixSocketsCanBeAskedToo) {
  const std::string path =
      testing::TempDir() + "berth-health-" + std::to_string(::getpid()) + ".sock";
  ::unlink(path.c_str());
  OneAnswer admin("HTTP/1.1 200 OK\r\n\r\n", "unix:" + path);
  std::string complaint;
  EXPECT_EQ(check("unix:" + path, complaint), 0) << complaint;
  ::unlink(path.c_str());
}

TEST(Healthcheck, NobodyThereIsNotWell) {
  UniqueFd listener = net::listen_on(*net::Address::parse("127.0.0.1:0"), 1, 0);
  const std::string address = net::Address::of_socket(listener.get()).to_string();
  listener.reset();
  std::string complaint;
  EXPECT_EQ(check(address, complaint), 1);
  EXPECT_EQ(complaint, "berth: " + address + ": Connection refused\n");
}

TEST(Healthcheck, WhatIsNoAddressIsSaidToBeNone) {
  for (const char* address : {"", "off", "localhost:80", "127.0.0.1"}) {
    std::string complaint;
    EXPECT_EQ(check(address, complaint), 1);
    EXPECT_EQ(complaint, "berth: " + std::string(address) + ": not an address\n");
  }
}

}  // namespace
}  // namespace berth::server
