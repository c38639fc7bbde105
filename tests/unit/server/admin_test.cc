#include "proxy/server/admin.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/net/address.h"
#include "proxy/server/admin_pages.h"

namespace berth::server {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class FakeContext final : public AdminContext {
 public:
  std::string version() const override { return "1.2.3<x>"; }
  Readiness readiness() const override { return ready; }
  Duration uptime() const override { return 90s; }
  uint64_t generation() const override { return 3; }
  std::optional<ReloadOutcome> last_reload() const override { return reload; }
  ReloadOutcome reload_now() override {
    commands.push_back("reload");
    return next_reload;
  }
  std::string effective_config() const override {
    if (config.empty()) throw std::runtime_error("no configuration");
    return config;
  }
  const std::vector<std::string>& admin_hosts() const override { return hosts; }
  std::vector<std::string> set_draining(std::string_view server, std::string_view upstream,
                                        bool draining) override {
    commands.push_back((draining ? "drain " : "resume ") + std::string(upstream) + "/" +
                       std::string(server));
    return server == "10.0.0.1:80" ? std::vector<std::string>{"app/10.0.0.1:80"}
                                   : std::vector<std::string>();
  }
  const stats::Registry& registry() const override { return stats; }
  const stats::Collector& collector() const override { return metrics; }

  std::vector<std::string> hosts{"metrics.example.org"};
  std::vector<std::string> commands;
  Readiness ready = Readiness::Ready;
  std::optional<ReloadOutcome> reload;
  ReloadOutcome next_reload{true, {}, {}, 0};
  std::string config = "workers: 2\n";
  stats::Registry stats;
  stats::ProcfsSource process;
  stats::Collector metrics{stats, process, "1.2.3"};
};

// --- Pages ---

TEST(AdminPagesTest, ReadinessFollowsTheState) {
  FakeContext context;
  EXPECT_EQ(admin_page("/readyz", context).status, 200);
  context.ready = Readiness::Draining;
  EXPECT_EQ(admin_page("/readyz", context).status, 503);
  EXPECT_EQ(admin_page("/readyz", context).body, "draining\n");
  context.ready = Readiness::Starting;
  EXPECT_EQ(admin_page("/readyz", context).status, 503);
  EXPECT_EQ(admin_page("/healthz", context).status, 200) << "the process lives";
}

TEST(AdminPagesTest, MetricsInTextFormat) {
  const FakeContext context;
  const AdminPage page = admin_page("/metrics", context);
  EXPECT_EQ(page.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(page.body.find("\nberth_build_info{version=\"1.2.3\"} 1\n"), std::string::npos);
}

TEST(AdminPagesTest, ConfigIsShown) {
  const FakeContext context;
  EXPECT_EQ(admin_page("/config", context).body, "workers: 2\n");
}

TEST(AdminPagesTest, IndexLinksEveryPage) {
  const FakeContext context;
  const AdminPage page = admin_page("/", context);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  for (const char* path : {"/metrics", "/status", "/config", "/healthz", "/readyz"}) {
    EXPECT_NE(page.body.find("href=\"" + std::string(path) + "\""), std::string::npos) << path;
  }
  EXPECT_NE(page.body.find("1.2.3&lt;x&gt;"), std::string::npos);
}

TEST(AdminPagesTest, UnknownPathListsThePages) {
  const FakeContext context;
  const AdminPage page = admin_page("/metric", context);
  EXPECT_EQ(page.status, 404);
  EXPECT_NE(page.body.find("/metrics\n"), std::string::npos);
  EXPECT_EQ(admin_page("", context).status, 404);
}

TEST(AdminPagesTest, StatusTellsBothSides) {
  FakeContext context;
  const auto listener = context.stats.listener(":80");
  const auto server = context.stats.server("app", "a:1");
  const auto second = context.stats.server("app", "b:1");
  const auto facts = context.stats.server_facts("app", "a:1");
  const auto queue = context.stats.queue("app");
  const auto limit = context.stats.queue_facts("app");
  const auto workers = std::array{context.stats.worker(0), context.stats.worker(1)};
  listener->connections[stats::ClientState::Idle].add(7);
  listener->requests[stats::Protocol::Http1][0][0].add(2);
  listener->requests[stats::Protocol::Http2][1][1].add(3);
  server->connections[stats::UpstreamState::Active].add(4);
  facts->connections_limit = 8;
  facts->learned_keepalive_ms = 4'500;
  facts->learned_source = stats::LearnedSource::Hint;
  queue->length.add(5);
  limit->limit = 1024;
  context.reload = ReloadOutcome{false, {"berth.yaml:3:5: unknown key"}, {}, 1'790'000'000'000};

  const Json status = Json::parse(admin_status(context));
  EXPECT_EQ(status["state"], "ready");
  EXPECT_EQ(status["uptime_seconds"], 90);
  EXPECT_EQ(status["generation"], 3);
  EXPECT_EQ(status["workers"], 2);
  EXPECT_EQ(
      status["last_reload"],
      Json::parse(
          R"({"result": "failure", "errors": ["berth.yaml:3:5: unknown key"], "time": "2026-09-21T14:13:20Z"})"));
  ASSERT_EQ(status["listeners"].size(), 1u);
  EXPECT_EQ(status["listeners"][0]["connections"]["idle"], 7);
  EXPECT_EQ(status["listeners"][0]["requests"], 5);
  ASSERT_EQ(status["upstreams"].size(), 1u);
  const Json& app = status["upstreams"][0];
  EXPECT_EQ(app["name"], "app");
  EXPECT_EQ(app["queue"]["length"], 5);
  EXPECT_EQ(app["queue"]["limit"], 1024);
  ASSERT_EQ(app["servers"].size(), 2u);
  EXPECT_EQ(app["servers"][0]["address"], "a:1");
  EXPECT_EQ(app["servers"][0]["up"], true);
  EXPECT_EQ(app["servers"][0]["limit"], 8);
  EXPECT_EQ(app["servers"][0]["connections"]["active"], 4);
  EXPECT_EQ(app["servers"][0]["keepalive"]["seconds"], 4.5);
  EXPECT_EQ(app["servers"][0]["keepalive"]["source"], "hint");
  EXPECT_FALSE(app["servers"][1].contains("limit")) << "nobody knows it";
}

TEST(AdminPagesTest, StatusTellsWhatAReloadDid) {
  FakeContext context;
  ReloadOutcome& outcome = context.reload.emplace();
  outcome.report.servers = {{"app/a:1", Fate::Kept, {}, {}},
                            {"app/b:1", Fate::Replaced, {}, {}},
                            {"app/c:1", Fate::Retired, {}, {}}};
  outcome.report.certificates = {{"site.crt", Fate::Changed, {"contents"}, "valid until 2027"}};
  outcome.report.settings = {"shutdown.grace", "workers"};
  outcome.report.needs_restart = {"workers"};
  const Json reload = Json::parse(admin_status(context))["last_reload"];
  EXPECT_EQ(reload["result"], "success");
  EXPECT_EQ(
      reload["servers"],
      Json::parse(
          R"({"kept": ["app/a:1"], "changed": [], "replaced": ["app/b:1"], "added": [], "retired": ["app/c:1"]})"));
  EXPECT_EQ(reload["certificates"]["changed"], Json::parse(R"(["site.crt"])"));
  EXPECT_EQ(reload["routes_changed"], false);
  EXPECT_EQ(reload["settings_changed"], Json::parse(R"(["shutdown.grace", "workers"])"));
  EXPECT_EQ(reload["needs_restart"], Json::parse(R"(["workers"])"));
}

TEST(AdminPagesTest, StatusBeforeAnything) {
  FakeContext context;
  context.ready = Readiness::Starting;
  const Json status = Json::parse(admin_status(context));
  EXPECT_EQ(status["state"], "starting");
  EXPECT_TRUE(status["last_reload"].is_null());
  EXPECT_EQ(status["listeners"], Json::array());
  EXPECT_EQ(status["upstreams"], Json::array());
}

TEST(AdminPagesTest, StatusIsValidWhateverTheNames) {
  FakeContext context;
  const auto odd = context.stats.listener("\xff\"\n");
  EXPECT_NO_THROW(Json::parse(admin_status(context)));
}

// --- Over sockets ---

struct Response {
  std::string head;
  std::string body;
  bool has(const std::string& line) const {
    return head.find("\r\n" + line + "\r\n") != std::string::npos;
  }
};

// Server and client on one thread: the loop turns until the answer is there.
class AdminServerTest : public ::testing::Test {
 protected:
  struct BaseDeleter {
    void operator()(event_base* base) const { event_base_free(base); }
  };

  UniqueFd connect_to(const std::string& address) {
    const auto target = net::Address::parse(address);
    sockaddr_storage storage;
    const socklen_t length = target->to_sockaddr(storage);
    UniqueFd fd(::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
    return fd;
  }

  // The whole answer, up to the server's close.
  Response exchange(const std::string& address, const std::string& request) {
    const UniqueFd fd = connect_to(address);
    EXPECT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string text;
    std::array<char, 65'536> buffer;
    while (true) {
      event_base_loop(base_.get(), EVLOOP_NONBLOCK);
      const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n == 0) break;
      if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
    }
    const size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) return {text, ""};
    return {text.substr(0, end + 2), text.substr(end + 4)};
  }
  Response get(const std::string& target, const std::string& method = "GET") {
    return exchange(
        server_.address(),
        method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  Response post(const std::string& target, const std::string& fields = "Host: 127.0.0.1:9145\r\n") {
    return exchange(server_.address(), "POST " + target + " HTTP/1.1\r\n" + fields +
                                           "Connection: close\r\nContent-Length: 0\r\n\r\n");
  }

  FakeContext context_;
  std::unique_ptr<event_base, BaseDeleter> base_{event_base_new()};
  AdminServer server_{base_.get(), "127.0.0.1:0", context_};
};

TEST_F(AdminServerTest, ServesAPage) {
  const Response response = get("/healthz?x=1");
  EXPECT_TRUE(response.head.starts_with("HTTP/1.1 200 ")) << response.head;
  EXPECT_TRUE(response.has("Content-Type: text/plain; charset=utf-8"));
  EXPECT_TRUE(response.has("Cache-Control: no-store"));
  EXPECT_EQ(response.body, "ok\n");
}

TEST_F(AdminServerTest, MetricsOverTheWire) {
  const auto listener = context_.stats.listener(":80");
  const Response response = get("/metrics");
  EXPECT_TRUE(response.has("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
  EXPECT_NE(response.body.find("berth_client_connections_accepted_total{listener=\":80\"} 0\n"),
            std::string::npos);
}

TEST_F(AdminServerTest, HeadHasTheHeadOfGetAndNoBody) {
  const Response response = get("/config", "HEAD");
  EXPECT_TRUE(response.head.starts_with("HTTP/1.1 200 ")) << response.head;
  EXPECT_TRUE(response.has("Content-Length: 11"));
  EXPECT_EQ(response.body, "");
}

TEST_F(AdminServerTest, OtherMethodsAreNotAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const Response response = exchange(
        server_.address(),
        std::string(method) +
            " /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(response.head.starts_with("HTTP/1.1 405 ")) << method << response.head;
    EXPECT_TRUE(response.has("Allow: GET, HEAD"));
  }
}

TEST_F(AdminServerTest, TakesCommands) {
  const Response done = post("/drain?server=10.0.0.1:80");
  EXPECT_TRUE(done.head.starts_with("HTTP/1.1 200 ")) << done.head;
  EXPECT_EQ(done.body, "app/10.0.0.1:80 drains\n");
  EXPECT_EQ(post("/resume?server=10.0.0.1%3A80&upstream=app").body, "app/10.0.0.1:80 is back\n");
  EXPECT_EQ(context_.commands,
            (std::vector<std::string>{"drain /10.0.0.1:80", "resume app/10.0.0.1:80"}));
}

TEST_F(AdminServerTest, ReloadsAndSaysWhatCameOfIt) {
  context_.next_reload.report.needs_restart = {"workers"};
  const Response done = post("/reload");
  EXPECT_TRUE(done.head.starts_with("HTTP/1.1 200 ")) << done.head;
  EXPECT_TRUE(
      done.body.ends_with("\nworkers has changed: that takes effect with the next start only\n"))
      << done.body;
  context_.next_reload = {false, {"berth.yaml:3:5: error: unknown key"}, {}, 0};
  const Response refused = post("/reload");
  EXPECT_TRUE(refused.head.starts_with("HTTP/1.1 409 ")) << refused.head;
  EXPECT_EQ(refused.body,
            "berth.yaml:3:5: error: unknown key\n"
            "rejected: the previous configuration stays in effect\n");
  EXPECT_TRUE(post("/reload?now=1").head.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(get("/reload").head.starts_with("HTTP/1.1 405 "));
  EXPECT_EQ(context_.commands, (std::vector<std::string>{"reload", "reload"}));
}

TEST_F(AdminServerTest, CommandsThatCannotBeDone) {
  EXPECT_TRUE(post("/drain").head.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(post("/drain?server=").head.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(post("/drain?server=10.0.0.1:80&now=1").head.starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(context_.commands, std::vector<std::string>());
  const Response unknown = post("/drain?server=10.0.0.9:80&upstream=app");
  EXPECT_TRUE(unknown.head.starts_with("HTTP/1.1 404 ")) << unknown.head;
  EXPECT_EQ(unknown.body,
            "There is no server 10.0.0.9:80 in upstream app; /status names them all.\n");
  const Response read = get("/drain?server=10.0.0.1:80");
  EXPECT_TRUE(read.head.starts_with("HTTP/1.1 405 ")) << read.head;
  EXPECT_TRUE(read.has("Allow: POST"));
}

TEST_F(AdminServerTest, CommandsAreNotTakenFromWebPages) {
  const std::string drain = "/drain?server=10.0.0.1:80";
  for (const char* fields :
       {"Host: 127.0.0.1:9145\r\nOrigin: https://evil.example\r\n",
        "Host: 127.0.0.1:9145\r\nOrigin: null\r\n",
        "Host: 127.0.0.1:9145\r\nSec-Fetch-Site: cross-site\r\n", "Host: evil.example:9145\r\n",
        "Host: localhost.evil.example\r\n", "Host: 127.0.0.1.evil.example\r\n"}) {
    EXPECT_TRUE(post(drain, fields).head.starts_with("HTTP/1.1 403 ")) << fields;
  }
  EXPECT_EQ(context_.commands, std::vector<std::string>());
  for (const char* fields : {"Host: localhost\r\n", "Host: [::1]:9145\r\n", "Host: 10.1.2.3\r\n",
                             "Host: BERTH.internal:9145\r\n", "Host: METRICS.example.org\r\n",
                             "Host: 127.0.0.1:9145\r\nSec-Fetch-Site: none\r\n"}) {
    EXPECT_TRUE(post(drain, fields).head.starts_with("HTTP/1.1 200 ")) << fields;
  }
}

TEST_F(AdminServerTest, StateIsNotShownUnderAnyName) {
  const auto ask = [&](const std::string& page, const std::string& host) {
    return exchange(server_.address(),
                    "GET " + page + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
        .head.substr(0, 13);
  };
  for (const char* page : {"/config", "/status", "/metrics"}) {
    EXPECT_EQ(ask(page, "evil.example"), "HTTP/1.1 403 ") << page;
    EXPECT_EQ(ask(page, "localhost.evil.example:9145"), "HTTP/1.1 403 ") << page;
    EXPECT_EQ(ask(page, "metrics.example.org"), "HTTP/1.1 200 ")
        << page << " is one of admin.hosts";
    EXPECT_EQ(ask(page, "berth:9145"), "HTTP/1.1 200 ")
        << page << ", as Prometheus asks in Compose";
    EXPECT_EQ(ask(page, "berth.shop.svc:9145"), "HTTP/1.1 200 ") << page;
    EXPECT_EQ(ask(page, "berth.shop.svc.cluster.local"), "HTTP/1.1 200 ") << page;
  }
  EXPECT_EQ(ask("/healthz", "evil.example"), "HTTP/1.1 200 ") << "it says nothing of the state";
}

TEST_F(AdminServerTest, TheLongestIdleConnectionMakesRoom) {
  std::vector<UniqueFd> idle;
  for (size_t i = 0; i < AdminConnections::kMost; ++i) {
    idle.push_back(connect_to(server_.address()));
    event_base_loop(base_.get(), EVLOOP_NONBLOCK);
  }
  const auto closed = [](const UniqueFd& fd) {
    char byte = 0;
    return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  };
  const std::string ask = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  ASSERT_EQ(::send(idle[0].get(), ask.data(), ask.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(ask.size()));
  char answer[512];
  while (::recv(idle[0].get(), answer, sizeof answer, MSG_DONTWAIT) <= 0) {
    event_base_loop(base_.get(), EVLOOP_NONBLOCK);
  }
  EXPECT_EQ(get("/healthz").body, "ok\n") << "there is room for one more";
  while (!closed(idle[1])) event_base_loop(base_.get(), EVLOOP_NONBLOCK);
  EXPECT_FALSE(closed(idle[0])) << "it has been used since";
  EXPECT_FALSE(closed(idle[2]));
}

TEST_F(AdminServerTest, UnknownPathIs404) {
  EXPECT_TRUE(get("/nothing").head.starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/%2e%2e/metrics").head.starts_with("HTTP/1.1 404 "));
}

TEST_F(AdminServerTest, PageThatFailsIs500) {
  context_.config.clear();
  testing::internal::CaptureStderr();
  EXPECT_TRUE(get("/config").head.starts_with("HTTP/1.1 500 "));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("error admin: /config: no configuration\n"),
            std::string::npos);
  EXPECT_TRUE(get("/healthz").head.starts_with("HTTP/1.1 200 ")) << "it goes on";
}

TEST_F(AdminServerTest, GarbageIsAnsweredAndHurtsNobody) {
  EXPECT_FALSE(
      exchange(server_.address(), "\x16\x03\x01 garbage\r\n\r\n").head.starts_with("HTTP/1.1 200"));
  EXPECT_FALSE(
      exchange(server_.address(), "GET / HTTP/1.1\r\nx: " + std::string(100'000, 'y') + "\r\n\r\n")
          .head.starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get("/healthz").head.starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, PortInUseIsAnErrorThatNamesIt) {
  try {
    AdminServer second(base_.get(), server_.address(), context_);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "admin address " + server_.address() + ": Address already in use");
  }
}

TEST_F(AdminServerTest, NoAddressIsAnError) {
  EXPECT_THROW(AdminServer(base_.get(), "nonsense", context_), std::runtime_error);
}

TEST_F(AdminServerTest, UnixSocket) {
  std::string name = std::filesystem::temp_directory_path() / "berth-admin-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const std::string address = "unix:" + (folder / "admin.sock").string();
  {
    AdminServer unix_server(base_.get(), address, context_);
    EXPECT_EQ(unix_server.address(), address);
    for (int i = 0; i < 2; ++i) {
      const Response response =
          exchange(address, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      EXPECT_EQ(response.body, "ready\n") << response.head;
    }
  }
  AdminServer again(base_.get(), address, context_);  // the file of the one before is no obstacle
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace berth::server
