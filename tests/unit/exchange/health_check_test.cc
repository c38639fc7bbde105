// Health checks against servers that the test plays, and what requests make of the verdict.
#include "proxy/upstream/health_check.h"

#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

using stats::HealthResult;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kBusy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

class HealthCheckTest : public ProxyInMemory, public upstream::HealthObserver {
 protected:
  HealthCheckTest() {
    health().enabled = true;
    health().path = "/healthz?deep=1";
    health().interval = 5s;
    health().timeout = 2s;
  }

  config::HealthCheck& health() { return settings().health; }
  void start() {
    apply();
    check = std::make_unique<upstream::HealthCheck>(
        context.env, servers[0], std::make_shared<const config::Upstream>(settings()), stats,
        *this);
  }
  // The next check begins; returns its connection.
  size_t next() {
    const size_t before = connections();
    for (int i = 0; i < 60 && connections() == before; ++i) pass(100ms);
    EXPECT_EQ(connections(), before + 1);
    return before;
  }
  void answer(std::string_view text) {
    const size_t which = next();
    accept(which);
    say(which, text);
    EXPECT_TRUE(server(which).closed);
  }
  uint64_t results(HealthResult result) const { return stats->health_checks[result].value(); }
  stats::ServerState state() const { return servers[0]->states.strongest(); }

  std::shared_ptr<stats::ServerStats> stats = std::make_shared<stats::ServerStats>();
  std::unique_ptr<upstream::HealthCheck> check;
  std::vector<std::string> verdicts;
  int rooms = 0;

 private:
  void on_health(const std::shared_ptr<upstream::SharedServer>& of, bool healthy,
                 std::string_view why) override {
    EXPECT_EQ(of, servers[0]);
    verdicts.push_back((healthy ? "healthy: " : "unhealthy: ") + std::string(why));
  }
  void on_room(const std::shared_ptr<upstream::SharedServer>&) override { ++rooms; }
};

using Verdicts = std::vector<std::string>;

TEST_F(HealthCheckTest, AsksOnAConnectionOfItsOwn) {
  start();
  const size_t first = next();
  EXPECT_EQ(servers[0]->slots.used(), 1u);
  accept(first);
  EXPECT_EQ(heard(first),
            "GET /healthz?deep=1 HTTP/1.1\r\nHost: 10.0.0.1:3000\r\nUser-Agent: berth-health\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n");
  say(first, kOk);
  EXPECT_TRUE(server(first).closed);
  EXPECT_EQ(servers[0]->slots.used(), 0u);
  EXPECT_EQ(results(HealthResult::Passed), 1u);
  EXPECT_EQ(stats->connections_opened.value(), 1u);
  EXPECT_EQ(stats->connections_closed[CloseReason::HealthCheck].value(), 1u);
  EXPECT_EQ(verdicts, Verdicts());
}

TEST_F(HealthCheckTest, AsksAgainAfterTheIntervalOrALittleLess) {
  start();
  answer(kOk);
  pass(4499ms);
  EXPECT_EQ(connections(), 1u);
  pass(502ms);
  EXPECT_EQ(connections(), 2u);
}

TEST_F(HealthCheckTest, TheHostCanBeGiven) {
  health().host = "app.test";
  start();
  const size_t first = next();
  accept(first);
  EXPECT_NE(heard(first).find("\r\nHost: app.test\r\n"), std::string::npos);
}

TEST_F(HealthCheckTest, TheFirstCheckDecidesAlone) {
  start();
  EXPECT_EQ(state(), stats::ServerState::Ready);
  answer(kBusy);
  EXPECT_EQ(state(), stats::ServerState::Unhealthy);
  EXPECT_EQ(verdicts, Verdicts({"unhealthy: status 503"}));
}

TEST_F(HealthCheckTest, ThenItTakesSeveralInARow) {
  start();
  answer(kOk);
  answer(kBusy);
  answer(kBusy);
  answer(kOk);
  answer(kBusy);
  answer(kBusy);
  EXPECT_EQ(state(), stats::ServerState::Ready);
  answer(kBusy);
  EXPECT_EQ(state(), stats::ServerState::Unhealthy);
  answer(kOk);
  answer(kBusy);
  answer(kOk);
  EXPECT_EQ(state(), stats::ServerState::Unhealthy);
  answer(kOk);
  EXPECT_EQ(state(), stats::ServerState::Ready);
  EXPECT_EQ(verdicts, Verdicts({"unhealthy: status 503", "healthy: status 200"}));
  EXPECT_EQ(results(HealthResult::Failed), 6u);
}

TEST_F(HealthCheckTest, StatusesThatAreGood) {
  health().status = {"204", "300-302", "503"};
  health().unhealthy_after = 1;
  health().healthy_after = 1;
  start();
  answer(kBusy);
  EXPECT_EQ(state(), stats::ServerState::Ready);
  answer(kOk);
  EXPECT_EQ(state(), stats::ServerState::Unhealthy);
  answer("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(state(), stats::ServerState::Ready);
}

TEST_F(HealthCheckTest, AnAnswerInPiecesBehindAnInterimOne) {
  start();
  const size_t first = next();
  accept(first);
  for (const std::string_view piece :
       {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n", "\r\nHTTP/1.1 20", "0 OK\r\n", "\r\n"}) {
    EXPECT_EQ(results(HealthResult::Passed), 0u);
    say(first, piece);
  }
  EXPECT_EQ(results(HealthResult::Passed), 1u);
}

TEST_F(HealthCheckTest, ARequestThatIsTakenInPieces) {
  start();
  const size_t first = next();
  server(first).room = 10;
  accept(first);
  EXPECT_EQ(server(first).received, "GET /healt");
  server(first).room = SIZE_MAX;
  ready(first, {.writable = true});
  EXPECT_TRUE(heard(first).ends_with("\r\n\r\n"));
  say(first, kOk);
  EXPECT_EQ(results(HealthResult::Passed), 1u);
}

TEST_F(HealthCheckTest, WaysToFail) {
  health().unhealthy_after = 100;
  start();
  answer(kOk);
  refuse(next());
  EXPECT_EQ(results(HealthResult::Failed), 1u);
  network.refusals = {CloseReason::ConnectUnreachable};
  pass(5s);
  EXPECT_EQ(results(HealthResult::Failed), 2u);
  size_t which = next();
  accept(which);
  hang_up(which);
  EXPECT_EQ(results(HealthResult::Failed), 3u);
  which = next();
  accept(which);
  reset(which);
  EXPECT_EQ(results(HealthResult::Failed), 4u);
  answer("no such thing\r\n\r\n");
  EXPECT_EQ(results(HealthResult::Failed), 5u);
  next();
  pass(2s + 1ms);  // no connection
  EXPECT_EQ(results(HealthResult::Failed), 6u);
  accept(next());
  pass(2s + 1ms);  // no answer
  EXPECT_EQ(results(HealthResult::Failed), 7u);
  EXPECT_EQ(servers[0]->slots.used(), 0u);
  EXPECT_EQ(stats->connections[stats::UpstreamState::Active].value(), 0);
}

TEST_F(HealthCheckTest, TheTimeoutIsForTheConnectionAndAgainForTheAnswer) {
  health().unhealthy_after = 100;
  start();
  const size_t which = next();
  pass(1500ms);
  accept(which);
  pass(1500ms);
  EXPECT_EQ(results(HealthResult::Failed), 0u);
  pass(501ms);
  EXPECT_EQ(results(HealthResult::Failed), 1u);
}

TEST_F(HealthCheckTest, InterimResponsesWithoutEndAreNoAnswer) {
  health().unhealthy_after = 100;
  start();
  const size_t which = next();
  accept(which);
  for (int i = 0; i < http::kMaxInterims; ++i) say(which, "HTTP/1.1 103 Early Hints\r\n\r\n");
  EXPECT_EQ(results(HealthResult::Failed), 0u);
  say(which, "HTTP/1.1 103 Early Hints\r\n\r\n");
  EXPECT_EQ(results(HealthResult::Failed), 1u);
}

TEST_F(HealthCheckTest, OurOwnShortageSaysNothingOfTheServer) {
  start();
  network.refusals = {CloseReason::NoLocalResources};
  pass(1s);
  EXPECT_EQ(results(HealthResult::Skipped), 1u);
  EXPECT_EQ(state(), stats::ServerState::Ready);
}

TEST_F(HealthCheckTest, AServerThatIsFullIsNotAsked) {
  pool().max_connections = 1;
  start();
  get();
  pass(1s);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(results(HealthResult::Skipped), 1u);
  accept(0);
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  answer(kOk);
  EXPECT_EQ(results(HealthResult::Passed), 1u);
}

TEST_F(HealthCheckTest, WhoWaitsForItsSlotIsTold) {
  pool().max_connections = 1;
  start();
  const size_t first = next();
  accept(first);
  get();
  EXPECT_EQ(rooms, 0);
  say(first, kOk);
  EXPECT_EQ(rooms, 1);
  pools.on_server_changed(*servers[0]);
  end_turn();
  EXPECT_EQ(connections(), 2u);
}

TEST_F(HealthCheckTest, ACheckThatConnectsEndsABackOff) {
  start();
  Call& call = get();
  refuse(0);
  EXPECT_EQ(call.client.status, 502);
  EXPECT_EQ(state(), stats::ServerState::BackingOff);
  accept(next());
  EXPECT_EQ(state(), stats::ServerState::Ready);
  EXPECT_EQ(rooms, 1);
}

TEST_F(HealthCheckTest, NothingIsLeftOfACheckThatIsBrokenOff) {
  start();
  answer(kBusy);
  accept(next());
  check.reset();
  EXPECT_TRUE(server(1).closed);
  EXPECT_EQ(servers[0]->slots.used(), 0u);
  EXPECT_EQ(state(), stats::ServerState::Ready) << "nobody would ever find it healthy again";
}

TEST_F(HealthCheckTest, RequestsGoToTheHealthy) {
  settings().servers.push_back({"10.0.0.2:3000"});
  start();
  answer(kBusy);
  for (int i = 0; i < 4; ++i) {
    get();
    EXPECT_EQ(network.connections.back()->address, servers[1]->address);
  }
}

TEST_F(HealthCheckTest, WhenNoneIsHealthyAllAreAsked) {
  settings().servers.push_back({"10.0.0.2:3000"});
  settings().balance = config::Balance::RoundRobin;
  start();
  answer(kBusy);
  servers[1]->states.set(stats::ServerState::Unhealthy);
  std::vector<net::Address> asked;
  for (int i = 0; i < 4; ++i) {
    get();
    asked.push_back(network.connections.back()->address);
  }
  EXPECT_EQ(std::count(asked.begin(), asked.end(), servers[0]->address), 2);
  EXPECT_EQ(std::count(asked.begin(), asked.end(), servers[1]->address), 2);
}

}  // namespace
}  // namespace berth::exchange
