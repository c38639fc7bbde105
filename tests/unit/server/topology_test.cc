#include "proxy/server/topology.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/config/setting_error.h"
#include "proxy/net/listener.h"
#include "tests/unit/server/apply_snapshot.h"

namespace berth::server {
namespace {

config::Listener listener(const std::string& address) {
  config::Listener out;
  out.name = address;
  out.address = address;
  return out;
}

config::Upstream upstream(const std::string& name, const std::vector<std::string>& servers) {
  config::Upstream out;
  out.name = name;
  for (const std::string& server : servers) out.servers.push_back({server});
  return out;
}

std::string bound_to(const UniqueFd& fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length), 0);
  return net::Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length)
      .to_string();
}

bool can_connect(const std::string& address) {
  const net::Address to = *net::Address::parse(address);
  const UniqueFd fd(::socket(to.family(), SOCK_STREAM, 0));
  sockaddr_storage storage;
  const socklen_t length = to.to_sockaddr(storage);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

bool exists(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0;
}

class TopologyTest : public testing::Test {
 protected:
  static constexpr uint32_t kWorkers = 3;

  std::vector<WorkerPlan> apply() {
    Applied applied =
        apply_snapshot(topology, config::make_snapshot(config, ++generation_, "", {}));
    report = std::move(applied.report);
    return std::move(applied.plans);
  }
  std::string failure() {
    try {
      apply();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
  // A path for a socket, gone with the test.
  std::string path(const std::string& name) {
    paths_.push_back(testing::TempDir() + "berth-topology-" + std::to_string(::getpid()) + "-" +
                     name);
    ::unlink(paths_.back().c_str());
    return paths_.back();
  }
  ~TopologyTest() override {
    for (const std::string& path : paths_) ::unlink(path.c_str());
  }

  stats::Registry registry;
  Topology topology{registry, kWorkers};
  config::Config config;
  ReloadReport report;  // of the last apply()

 private:
  uint64_t generation_ = 0;
  std::vector<std::string> paths_;
};

// --- Listening sockets

TEST_F(TopologyTest, EveryWorkerGetsASocketOfItsOwnOnOnePort) {
  config.listeners = {listener("127.0.0.1:0")};
  const std::vector<WorkerPlan> plans = apply();
  ASSERT_EQ(plans.size(), kWorkers);
  ASSERT_EQ(topology.listening().size(), 1u);
  const std::string where = topology.listening().front();
  EXPECT_NE(where, "127.0.0.1:0");
  std::set<int> fds;
  for (const WorkerPlan& plan : plans) {
    ASSERT_EQ(plan.listeners.size(), 1u);
    const ListenerPlan& at = plan.listeners.front();
    EXPECT_EQ(at.key, "127.0.0.1:0");
    EXPECT_EQ(at.settings->address.text(), "127.0.0.1:0");
    EXPECT_EQ(at.count, plans.front().listeners.front().count);
    ASSERT_TRUE(at.fd);
    EXPECT_EQ(bound_to(at.fd), where);
    fds.insert(at.fd.get());
  }
  EXPECT_EQ(fds.size(), kWorkers);
  EXPECT_TRUE(can_connect(where));
}

TEST_F(TopologyTest, ListeningFollowsTheOrderOfTheConfiguration) {
  const std::string socket = "unix:" + path("order.sock");
  config.listeners = {listener("[::1]:0"), listener(socket), listener("127.0.0.1:0")};
  apply();
  ASSERT_EQ(topology.listening().size(), 3u);
  EXPECT_TRUE(topology.listening()[0].starts_with("[::1]:"));
  EXPECT_EQ(topology.listening()[1], socket);
  EXPECT_TRUE(topology.listening()[2].starts_with("127.0.0.1:"));
}

TEST_F(TopologyTest, AListenerWithoutHostServesBothFamilies) {
  config.listeners = {listener(":0")};
  const std::vector<WorkerPlan> plans = apply();
  const std::string where = topology.listening().front();
  const std::string port = where.substr(where.rfind(':'));
  EXPECT_TRUE(can_connect("127.0.0.1" + port));
  EXPECT_TRUE(can_connect("[::1]" + port));
}

TEST_F(TopologyTest, WorkersShareTheOneSocketOfAUnixPath) {
  const std::string at = path("shared.sock");
  config.listeners = {listener("unix:" + at)};
  config.listeners.front().unix_mode = 0640;
  const std::vector<WorkerPlan> plans = apply();
  struct stat facts {};
  ASSERT_EQ(::stat(at.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0640u);
  std::set<ino_t> sockets;
  std::set<int> fds;
  for (const WorkerPlan& plan : plans) {
    ASSERT_EQ(::fstat(plan.listeners.front().fd.get(), &facts), 0);
    sockets.insert(facts.st_ino);
    fds.insert(plan.listeners.front().fd.get());
    EXPECT_NE(::fcntl(plan.listeners.front().fd.get(), F_GETFD) & FD_CLOEXEC, 0)
        << "no child process may keep it";
  }
  EXPECT_EQ(sockets.size(), 1u);
  EXPECT_EQ(fds.size(), kWorkers);
  EXPECT_TRUE(can_connect("unix:" + at));
}

TEST_F(TopologyTest, TheFileOfAUnixSocketGoesWithItsListener) {
  const std::string at = path("gone.sock");
  config.listeners = {listener("unix:" + at), listener("127.0.0.1:0")};
  apply();
  EXPECT_TRUE(exists(at));
  config.listeners.erase(config.listeners.begin());
  apply();
  EXPECT_FALSE(exists(at));
}

TEST_F(TopologyTest, TheFileOfAUnixSocketStaysWhileItsListenerDoes) {
  const std::string at = path("stays.sock");
  config.listeners = {listener("unix:" + at)};
  apply();
  config.listeners.front().keepalive_requests = 5;
  apply();
  EXPECT_TRUE(exists(at));
}

TEST_F(TopologyTest, TheSocketFileOfASuccessorIsLeftAlone) {
  const std::string at = path("successor.sock");
  {
    Topology brief(registry, 1);
    config.listeners = {listener("unix:" + at)};
    // Held open, as by the workers: its inode cannot be the successor's.
    const Applied held = apply_snapshot(brief, config::make_snapshot(config, 1, "", {}));
    ::unlink(at.c_str());
    const UniqueFd successor = net::listen_on(*net::Address::parse("unix:" + at), 1, 0600);
  }
  EXPECT_TRUE(exists(at));
}

TEST_F(TopologyTest, AListenerThatStaysKeepsItsSocketsAndItsCount) {
  config.listeners = {listener("127.0.0.1:0")};
  const std::vector<WorkerPlan> first = apply();
  const std::string where = topology.listening().front();
  config.listeners.front().keepalive_requests = 7;
  config.listeners.push_back(listener("[::1]:0"));
  const std::vector<WorkerPlan> second = apply();
  for (const WorkerPlan& plan : second) {
    const ListenerPlan& stays = plan.listeners.at(0);
    EXPECT_FALSE(stays.fd);
    EXPECT_EQ(stays.key, first.front().listeners.front().key);
    EXPECT_EQ(stays.count, first.front().listeners.front().count);
    EXPECT_EQ(stays.settings->keepalive_requests, 7u);
    EXPECT_TRUE(plan.listeners.at(1).fd);
  }
  EXPECT_EQ(topology.listening().at(0), where);
}

TEST_F(TopologyTest, AListenerThatComesBackIsOpenedAnew) {
  config.listeners = {listener("127.0.0.1:0")};
  const auto count = apply().front().listeners.front().count;
  config.listeners = {listener("[::1]:0")};
  apply();
  config.listeners = {listener("127.0.0.1:0")};
  const std::vector<WorkerPlan> again = apply();
  EXPECT_TRUE(again.front().listeners.front().fd);
  EXPECT_NE(again.front().listeners.front().count, count);
}

TEST_F(TopologyTest, ThePlanKeepsItsSnapshotAlive) {
  config.listeners = {listener("127.0.0.1:0")};
  config.upstreams = {upstream("app", {"127.0.0.1:1"})};
  auto snapshot = config::make_snapshot(config, 9, "", {});
  const std::weak_ptr<const config::Snapshot> watched = snapshot;
  std::vector<WorkerPlan> plans = apply_snapshot(topology, snapshot).plans;
  snapshot.reset();
  apply();  // the next one
  for (WorkerPlan& plan : plans) {
    EXPECT_EQ(plan.snapshot->generation, 9u);
    plan.snapshot.reset();
  }
  EXPECT_FALSE(watched.expired()) << "the settings belong to it";
  EXPECT_EQ(plans.front().clusters.front().settings->name, "app");
  plans.clear();
  EXPECT_TRUE(watched.expired());
}

// --- Errors change nothing

TEST_F(TopologyTest, AnAddressThatIsTakenIsAnError) {
  const UniqueFd other = net::listen_on(*net::Address::parse("127.0.0.1:0"), 1, 0);
  // The other one would let us share its port (SO_REUSEPORT), and take half of our clients.
  config.listeners = {listener(bound_to(other))};
  const std::string message = failure();
  EXPECT_NE(message.find(bound_to(other)), std::string::npos) << message;
  EXPECT_NE(message.find("another process listens there"), std::string::npos) << message;
}

TEST_F(TopologyTest, AnErrorLeavesEverythingAsItWas) {
  config.listeners = {listener("127.0.0.1:0")};
  config.upstreams = {upstream("app", {"127.0.0.1:1"})};
  config.upstreams.front().pool.max_connections = 5;
  const std::vector<WorkerPlan> plans = apply();
  const auto server = plans.front().clusters.front().servers.front();
  const std::vector<std::string> listening = topology.listening();

  const std::string fresh = path("fresh.sock");
  const config::Config good = config;
  config.upstreams.front().pool.max_connections = 6;
  config.upstreams.front().servers = {{"127.0.0.1:2"}};
  config.listeners = {listener("unix:" + fresh), listener("192.0.2.1:8080")};
  const std::string message = failure();
  EXPECT_NE(message.find("192.0.2.1:8080"), std::string::npos) << message;
  EXPECT_EQ(topology.listening(), listening);
  EXPECT_TRUE(can_connect(listening.front()));
  EXPECT_FALSE(exists(fresh)) << "what was opened before the error is closed again";
  EXPECT_EQ(server->slots.limit(), 5u);
  EXPECT_FALSE(server->retired);

  config = good;
  const std::vector<WorkerPlan> again = apply();
  EXPECT_FALSE(again.front().listeners.front().fd);
  EXPECT_EQ(again.front().clusters.front().servers.front(), server);
}

TEST_F(TopologyTest, ANameThatDoesNotResolveIsAnErrorThatOpensNothing) {
  const std::string fresh = path("unresolved.sock");
  config.listeners = {listener("unix:" + fresh)};
  config.upstreams = {upstream("app", {"no-such-host.invalid:80"})};
  EXPECT_NE(failure().find("no-such-host.invalid"), std::string::npos);
  EXPECT_FALSE(exists(fresh));
  EXPECT_TRUE(topology.listening().empty());
}

// --- Upstreams

TEST_F(TopologyTest, AllWorkersShareEachServer) {
  config.upstreams = {upstream("app", {"127.0.0.1:1", "unix:/tmp/app.sock"}),
                      upstream("other", {"127.0.0.1:1"})};
  config.upstreams[0].pool.max_connections = 11;
  config.upstreams[0].pool.max_upgraded = 12;
  config.upstreams[0].pool.queue_size = 13;
  const std::vector<WorkerPlan> plans = apply();
  for (const WorkerPlan& plan : plans) {
    ASSERT_EQ(plan.clusters.size(), 2u);
    EXPECT_EQ(plan.clusters[0].cluster, plans.front().clusters[0].cluster);
    EXPECT_EQ(plan.clusters[0].servers, plans.front().clusters[0].servers);
    EXPECT_EQ(plan.clusters[0].settings->name, "app");
  }
  const upstream::ClusterPlan& app = plans.front().clusters[0];
  EXPECT_EQ(app.cluster->name, "app");
  ASSERT_EQ(app.servers.size(), 2u);
  EXPECT_EQ(app.servers[0]->name(), "127.0.0.1:1");
  EXPECT_EQ(app.servers[0]->address.to_string(), "127.0.0.1:1");
  EXPECT_EQ(app.servers[0]->cluster, app.cluster);
  EXPECT_EQ(app.servers[0]->workers(), kWorkers);
  EXPECT_EQ(app.servers[0]->slots.limit(), 11u);
  EXPECT_EQ(app.servers[0]->upgraded.limit(), 12u);
  EXPECT_EQ(app.servers[0]->facts.connections_limit, 11u);
  EXPECT_EQ(registry.queue_facts("app")->limit, 13u);
  EXPECT_NE(plans.front().clusters[1].servers[0], app.servers[0])
      << "each upstream has bounds of its own";
}

TEST_F(TopologyTest, AServerThatStaysIsTheSameObjectWithNewLimits) {
  config.upstreams = {upstream("app", {"127.0.0.1:1"})};
  const std::vector<WorkerPlan> first = apply();
  const auto server = first.front().clusters.front().servers.front();
  config.upstreams.front().pool.max_connections = 3;
  config.upstreams.front().pool.max_upgraded = 4;
  config.upstreams.front().servers.push_back({"127.0.0.1:2"});
  const std::vector<WorkerPlan> second = apply();
  EXPECT_EQ(second.front().clusters.front().cluster, first.front().clusters.front().cluster);
  EXPECT_EQ(second.front().clusters.front().servers.front(), server);
  EXPECT_EQ(server->slots.limit(), 3u);
  EXPECT_EQ(server->upgraded.limit(), 4u);
  EXPECT_EQ(server->facts.connections_limit, 3u);
}

TEST_F(TopologyTest, WhatLeftTheConfigurationIsRetiredAndMayComeBack) {
  config.upstreams = {upstream("app", {"127.0.0.1:1", "127.0.0.1:2"}),
                      upstream("other", {"127.0.0.1:3"})};
  const std::vector<WorkerPlan> first = apply();
  const auto stays = first.front().clusters[0].servers[0];
  const auto leaves = first.front().clusters[0].servers[1];
  const auto cluster = first.front().clusters[1].cluster;
  const auto with_it = first.front().clusters[1].servers[0];

  const config::Config both = config;
  config.upstreams = {upstream("app", {"127.0.0.1:1"})};
  apply();
  EXPECT_FALSE(stays->retired);
  EXPECT_FALSE(stays->cluster->retired);
  EXPECT_TRUE(leaves->retired);
  EXPECT_TRUE(cluster->retired);
  EXPECT_TRUE(with_it->retired);

  config = both;
  const std::vector<WorkerPlan> third = apply();
  EXPECT_EQ(third.front().clusters[0].servers[1], leaves) << "its bound counts what still drains";
  EXPECT_EQ(third.front().clusters[1].cluster, cluster);
  EXPECT_FALSE(leaves->retired);
  EXPECT_FALSE(cluster->retired);
  EXPECT_FALSE(with_it->retired);
}

TEST_F(TopologyTest, AServerThatNobodyUsesAnyMoreIsForgotten) {
  config.upstreams = {upstream("app", {"127.0.0.1:1"})};
  const std::weak_ptr<upstream::SharedServer> server =
      apply().front().clusters.front().servers.front();
  EXPECT_TRUE(server.expired());
}

// However the configuration calls it, it goes by its address: one bound, one series of counters.
TEST_F(TopologyTest, AServerUnderANewNameIsTheSameServer) {
  for (const auto& [before, after] :
       {std::pair("[::1]:9", "[0::1]:9"), std::pair("127.0.0.1:9", "localhost:9")}) {
    config.upstreams = {upstream("app", {before})};
    const std::vector<WorkerPlan> first = apply();
    const auto server = first.front().clusters.front().servers.front();
    config.upstreams = {upstream("app", {after})};
    const std::vector<WorkerPlan> second = apply();
    const auto& servers = second.front().clusters.front().servers;
    ASSERT_NE(std::find(servers.begin(), servers.end(), server), servers.end()) << after;
    EXPECT_EQ(server->name(), before);
    EXPECT_EQ(server->configured, after);
    EXPECT_FALSE(server->retired);
    EXPECT_EQ(count(report.servers, Fate::Kept), 1u);
  }
}

TEST_F(TopologyTest, AListenerUnderANewNameKeepsItsCounters) {
  config.listeners = {listener("127.0.0.1:0")};
  const std::vector<WorkerPlan> first = apply();
  ASSERT_NE(first.front().listeners.front().stats, nullptr);
  first.front().listeners.front().stats->connections_accepted.add(2);
  config.listeners.front().name = "front";
  const std::vector<WorkerPlan> second = apply();
  EXPECT_EQ(second.front().listeners.front().stats, nullptr) << "the worker has them already";
  const stats::Snapshot now = registry.snapshot();
  ASSERT_EQ(now.listeners.size(), 1u);
  EXPECT_EQ(now.listeners[0].name, "front");
  EXPECT_EQ(now.listeners[0].stats->connections_accepted.value(), 2u);
}

// The bound is one per server, however often the configuration names it.
TEST_F(TopologyTest, TwoSpellingsOfOneAddressAreOneServer) {
  config.upstreams = {upstream("app", {"[::1]:9", "[0::1]:9", "127.0.0.1:1"})};
  const std::vector<WorkerPlan> first = apply();
  const auto servers = first.front().clusters.front().servers;
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers[0]->name(), "[::1]:9");
  EXPECT_FALSE(servers[0]->retired);
  const std::vector<WorkerPlan> second = apply();
  EXPECT_EQ(second.front().clusters.front().servers, servers);
}

TEST_F(TopologyTest, AHostNameIsEveryAddressThatItHas) {
  config.upstreams = {upstream("app", {"localhost:7"})};
  const std::vector<WorkerPlan> plans = apply();
  const auto& servers = plans.front().clusters.front().servers;
  ASSERT_FALSE(servers.empty());
  for (const auto& server : servers) {
    EXPECT_EQ(server->address.port(), 7);
    EXPECT_EQ(server->name(), server->address.to_string());
    EXPECT_EQ(server->configured, "localhost:7");
  }
}

TEST_F(TopologyTest, ServersMoveAndNothingElseChanges) {
  config.listeners = {listener("127.0.0.1:0")};
  config.upstreams = {upstream("app", {"app.test:1"})};
  const auto snapshot = config::make_snapshot(config, 1, "", {});
  const auto tls = std::make_shared<const TlsPlan>(config, std::make_shared<net::TicketKeys>());
  const auto at = [](const std::string& ip) { return *net::Address::parse(ip + ":1"); };
  const Applied first =
      topology.apply(snapshot, {{"app.test:1", {at("10.0.0.1"), at("10.0.0.2")}}}, tls);
  const auto stays = first.plans.front().clusters.front().servers.at(1);
  const std::vector<std::string> listening = topology.listening();

  const std::vector<WorkerPlan> moved =
      topology.move_servers({{"app.test:1", {at("10.0.0.2"), at("10.0.0.3")}}});
  ASSERT_EQ(moved.size(), kWorkers);
  const auto& servers = moved.front().clusters.front().servers;
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers[0], stays);
  EXPECT_EQ(servers[1]->name(), "10.0.0.3:1");
  EXPECT_TRUE(first.plans.front().clusters.front().servers.at(0)->retired);
  EXPECT_EQ(moved.front().snapshot, snapshot);
  EXPECT_FALSE(moved.front().listeners.front().fd);
  EXPECT_EQ(topology.listening(), listening);

  // The next reload is compared with that.
  const Applied same =
      topology.apply(snapshot, {{"app.test:1", {at("10.0.0.2"), at("10.0.0.3")}}}, tls);
  EXPECT_EQ(count(same.report.servers, Fate::Kept), 2u);
  EXPECT_EQ(same.report.servers.size(), 2u);
}

// --- What is applied to sockets that stay

TEST_F(TopologyTest, NewPermissionsOfAUnixSocketApplyAtOnce) {
  const std::string at = path("mode.sock");
  config.listeners = {listener("unix:" + at)};
  config.listeners.front().unix_mode = 0666;
  apply();
  config.listeners.front().unix_mode = 0600;
  apply();
  struct stat facts {};
  ASSERT_EQ(::stat(at.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  EXPECT_TRUE(report.problems.empty());
}

TEST_F(TopologyTest, PermissionsOfAFileThatIsNotOursAreLeftAloneAndThatIsSaid) {
  const std::string at = path("theirs.sock");
  config.listeners = {listener("unix:" + at)};
  const std::vector<WorkerPlan> plans = apply();
  ::unlink(at.c_str());
  const UniqueFd successor = net::listen_on(*net::Address::parse("unix:" + at), 1, 0644);
  config.listeners.front().unix_mode = 0600;
  apply();
  struct stat facts {};
  ASSERT_EQ(::stat(at.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0644u);
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_NE(report.problems.front().find("unix_mode"), std::string::npos);
}

TEST_F(TopologyTest, ListenersOnAnyPortOfOneAddressAreSeveral) {
  config.listeners = {listener("127.0.0.1:0"), listener("127.0.0.1:0")};
  config.listeners.back().name = "other";
  const std::vector<WorkerPlan> plans = apply();
  ASSERT_EQ(plans.front().listeners.size(), 2u);
  const std::vector<std::string> listening = topology.listening();
  EXPECT_NE(listening.at(0), listening.at(1));
  EXPECT_TRUE(can_connect(listening.at(0)));
  EXPECT_TRUE(can_connect(listening.at(1)));
  apply();
  EXPECT_EQ(topology.listening(), listening);
}

// --- The report

TEST_F(TopologyTest, AServerThatComesBackWhileItDrainsIsNewToTheConfiguration) {
  config.upstreams = {upstream("app", {"127.0.0.1:1", "127.0.0.1:2"})};
  const std::vector<WorkerPlan> held = apply();
  EXPECT_EQ(count(report.servers, Fate::Added), 2u);
  config.upstreams = {upstream("app", {"127.0.0.1:1"})};
  apply();
  EXPECT_EQ(count(report.servers, Fate::Retired), 1u);
  config.upstreams = {upstream("app", {"127.0.0.1:1", "127.0.0.1:2"})};
  apply();
  EXPECT_EQ(count(report.servers, Fate::Kept), 1u);
  EXPECT_EQ(count(report.servers, Fate::Added), 1u);
}

TEST_F(TopologyTest, AnErrorNamesItsSetting) {
  config.listeners = {listener("127.0.0.1:0"), listener("192.0.2.1:8080")};
  try {
    apply();
    FAIL();
  } catch (const config::SettingError& error) {
    EXPECT_EQ(error.setting(), "listeners[1].address");
  }
}

}  // namespace
}  // namespace berth::server
