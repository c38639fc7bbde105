// Servers that are left out for a while, as the requests see it.
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kOkAndClose =
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

class EjectionTest : public ProxyInMemory {
 protected:
  EjectionTest() {
    settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
    settings().balance = config::Balance::RoundRobin;
    settings().ejection.errors = 2;
    settings().ejection.time = 10s;
  }

  // Sends a POST, which goes to one server only; what that answers depends on which it is. Returns
  // the status.
  uint16_t request() {
    const size_t before = connections();
    Call& call = begin("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n");
    EXPECT_EQ(connections(), before + 1);
    accept(before);
    asked_.push_back(server(before).address);
    const std::string& answer = asked_.back() == first() ? first_says : second_says;
    if (answer.empty()) {
      hang_up(before);
    } else {
      say(before, answer);
    }
    const uint16_t status = call.client.status;
    drop(call);
    return status;
  }
  void requests(int count) {
    for (int i = 0; i < count; ++i) request();
  }
  // How often the first server was asked since the last call.
  size_t first_asked() {
    const auto count = static_cast<size_t>(std::count(asked_.begin(), asked_.end(), first()));
    asked_.clear();
    return count;
  }
  const net::Address& first() { return servers[0]->address; }

  std::string first_says{kOkAndClose};
  std::string second_says{kOkAndClose};

 private:
  std::vector<net::Address> asked_;
};

TEST_F(EjectionTest, AServerWhoseRequestsFailIsLeftOutForAWhile) {
  apply();
  first_says = "";
  requests(4);
  EXPECT_EQ(first_asked(), 2u);
  EXPECT_EQ(sum().ejections.value(), 1u);
  EXPECT_EQ(servers[0]->states.strongest(), stats::ServerState::Ejected);
  requests(4);
  pass(10s - 1ms);
  requests(4);
  EXPECT_EQ(first_asked(), 0u);
  pass(2ms);
  EXPECT_EQ(servers[0]->states.strongest(), stats::ServerState::Ready);
  first_says = kOkAndClose;
  requests(4);
  EXPECT_GE(first_asked(), 2u) << "its share, and perhaps a turn that it had missed";
}

TEST_F(EjectionTest, AServerThatFailsAgainIsLeftOutForTwiceAsLong) {
  apply();
  first_says = "";
  requests(4);
  pass(10s + 1ms);
  requests(4);
  EXPECT_EQ(first_asked(), 4u);
  pass(20s - 2ms);
  requests(4);
  EXPECT_EQ(first_asked(), 0u);
  pass(4ms);
  requests(2);
  EXPECT_GE(first_asked(), 1u);
}

TEST_F(EjectionTest, AnAnswerInBetweenIsASignOfLife) {
  apply();
  for (int i = 0; i < 4; ++i) {
    first_says = i % 2 == 0 ? "" : kOkAndClose;
    requests(2);
  }
  EXPECT_EQ(first_asked(), 4u);
}

// Whoever can make one page malformed must not be able to take the server out.
TEST_F(EjectionTest, GarbageIsAnErrorOnlyIfThatIsAskedFor) {
  apply();
  for (const char* malformed : {"HTTP/9.9 hello\r\n\r\n", "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
                                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
    first_says = malformed;
    requests(8);
    EXPECT_EQ(first_asked(), 4u) << malformed;
  }
  EXPECT_EQ(sum().ejections.value(), 0u);
  settings().ejection.count = config::EjectFor::GatewayErrors;
  apply();
  requests(8);
  EXPECT_EQ(first_asked(), 2u);
}

TEST_F(EjectionTest, GarbageInBetweenIsASignOfLife) {
  apply();
  for (int i = 0; i < 4; ++i) {
    first_says = i % 2 == 0 ? "" : "HTTP/9.9 hello\r\n\r\n";
    requests(2);
  }
  EXPECT_EQ(first_asked(), 4u);
}

TEST_F(EjectionTest, AnAnswerThatBreaksOffIsAnError) {
  apply();
  first_says = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  for (int i = 0; i < 6; ++i) {
    const size_t before = connections();
    Call& call = get();
    accept(before);
    if (server(before).address == first()) {
      say(before, first_says);
      hang_up(before);
      EXPECT_EQ(call.client.aborted, CloseReason::ResponseAborted);
    } else {
      say(before, second_says);
    }
    drop(call);
  }
  EXPECT_EQ(sum().ejections.value(), 1u);
}

TEST_F(EjectionTest, AnAnswerThatNeverComesIsAnError) {
  settings().ejection.errors = 1;
  settings().response_timeout = 1s;
  apply();
  Call& call = get();
  accept(0);
  pass(1s + 1ms);
  EXPECT_EQ(call.client.status, 504);
  const auto late = server(0).address == first() ? servers[0] : servers[1];
  EXPECT_EQ(late->states.strongest(), stats::ServerState::Ejected);
}

TEST_F(EjectionTest, ItsOwn503CountsOnlyIfThatIsAskedFor) {
  apply();
  first_says = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  requests(8);
  EXPECT_EQ(first_asked(), 4u);
  settings().ejection.count = config::EjectFor::GatewayErrors;
  apply();
  requests(8);
  EXPECT_EQ(first_asked(), 2u);
}

TEST_F(EjectionTest, TheLastServerStays) {
  apply();
  first_says = second_says = "";
  requests(20);
  EXPECT_GE(first_asked(), 2u);
  EXPECT_EQ(static_cast<int>(servers[0]->ejector.ejected(TimePoint(1000s))) +
                static_cast<int>(servers[1]->ejector.ejected(TimePoint(1000s))),
            1);
}

TEST_F(EjectionTest, WithOneServerThereIsNobodyToEject) {
  settings().servers.pop_back();
  apply();
  first_says = "";
  requests(5);
  EXPECT_EQ(first_asked(), 5u);
  EXPECT_EQ(sum().ejections.value(), 0u);
}

TEST_F(EjectionTest, WhenNobodyElseIsLeftTheEjectedOneIsAsked) {
  apply();
  first_says = "";
  requests(4);
  first_asked();
  first_says = kOkAndClose;
  Call& call = get();
  refuse(connections() - 1);  // the other one is away
  ASSERT_EQ(server(connections() - 1).address, first());
  accept(connections() - 1);
  say(connections() - 1, first_says);
  EXPECT_EQ(call.client.status, 200);
  requests(3);
  EXPECT_EQ(first_asked(), 3u);
}

TEST_F(EjectionTest, AStaleConnectionIsNoError) {
  settings().servers.pop_back();
  settings().servers.push_back({"10.0.0.2:3000"});
  settings().ejection.errors = 1;
  apply();
  for (int i = 0; i < 4; ++i) {
    const size_t before = connections();
    Call& call = get();
    if (connections() > before) accept(before);
    for (size_t which = 0; which < connections(); ++which) {
      if (!server(which).closed && !heard(which).empty()) say(which, kOk);
    }
    drop(call);
  }
  ASSERT_EQ(connections(), 2u);
  for (size_t which = 0; which < 2; ++which) {
    Call& call = get();
    const size_t stale = heard(0).empty() ? 1 : 0;
    hang_up(stale);
    accept(connections() - 1);
    say(connections() - 1, kOk);
    EXPECT_EQ(call.client.status, 200);
    drop(call);
  }
  EXPECT_EQ(sum().ejections.value(), 0u);
}

TEST_F(EjectionTest, FailedConnectsAreErrorsToo) {
  settings().ejection.errors = 2;
  settings().retry.attempts = 1;
  apply();
  for (int i = 0; i < 2; ++i) {
    for (bool refused = false; !refused;) {
      const size_t before = connections();
      Call& call = get();
      refused = server(before).address == first();
      if (refused) {
        refuse(before);
      } else {
        accept(before);
        say(before, second_says);
      }
      drop(call);
    }
    pass(upstream::Backoff::kFirst);
    servers[0]->connect_succeeded(now());
  }
  EXPECT_EQ(sum().ejections.value(), 1u);
}

TEST_F(EjectionTest, AReloadThatTurnsItOffBringsTheServerBack) {
  apply();
  first_says = "";
  requests(4);
  EXPECT_EQ(first_asked(), 2u);
  settings().ejection.enabled = false;
  apply();
  EXPECT_EQ(servers[0]->states.strongest(), stats::ServerState::Ready);
  requests(10);
  EXPECT_EQ(first_asked(), 5u);
}

class MinIdleTest : public ProxyInMemory {
 protected:
  MinIdleTest() { pool().min_idle = 2; }
  void start() {
    apply();
    end_turn();
  }
  int64_t idle() { return sum().connections[stats::UpstreamState::Idle].value(); }
};

TEST_F(MinIdleTest, ConnectionsAreOpenedAheadOfNeed) {
  start();
  ASSERT_EQ(connections(), 2u);
  accept(0);
  accept(1);
  EXPECT_EQ(connections(), 2u);
  EXPECT_EQ(idle(), 2);
  EXPECT_EQ(sum().connections_opened.value(), 2u);
  EXPECT_EQ(sum().acquisitions[stats::AcquireSource::New].value(), 0u);
}

TEST_F(MinIdleTest, ARequestTakesOneAndAnotherIsOpened) {
  start();
  accept(0);
  accept(1);
  Call& call = get();
  EXPECT_FALSE(heard(1).empty());
  ASSERT_EQ(connections(), 3u);
  accept(2);
  say(1, kOk);
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(idle(), 3);
  EXPECT_EQ(connections(), 3u);
}

TEST_F(MinIdleTest, WhatExpiresIsReplaced) {
  start();
  accept(0);
  accept(1);
  pass(4s + 1ms);
  EXPECT_TRUE(server(0).closed);
  EXPECT_TRUE(server(1).closed);
  ASSERT_EQ(connections(), 4u);
  accept(2);
  hang_up(2);
  EXPECT_EQ(connections(), 5u);
}

TEST_F(MinIdleTest, NeverBeyondTheBound) {
  pool().max_connections = 3;
  start();
  accept(0);
  accept(1);
  get();
  get();
  EXPECT_EQ(connections(), 3u);
  EXPECT_EQ(servers[0]->slots.used(), 3u);
}

TEST_F(MinIdleTest, AServerThatIsAwayIsTriedWithOneAfterItsBackOff) {
  start();
  refuse(0);
  refuse(1);
  EXPECT_EQ(connections(), 2u);
  pass(upstream::Backoff::kFirst - 1ms);
  EXPECT_EQ(connections(), 2u);
  pass(2ms);
  ASSERT_EQ(connections(), 3u);
  accept(2);
  EXPECT_EQ(connections(), 4u) << "it is back";
}

TEST_F(MinIdleTest, OurOwnShortageIsNoReasonToSpin) {
  network.refusals.assign(100, CloseReason::NoLocalResources);
  start();
  EXPECT_EQ(network.refusals.size(), 99u);
  pass(1s + 1ms);
  EXPECT_EQ(network.refusals.size(), 98u);
}

TEST_F(MinIdleTest, NotForAServerThatIsLeftOut) {
  settings().servers.push_back({"10.0.0.2:3000"});
  start();
  ASSERT_EQ(connections(), 4u);
  for (size_t which = 0; which < 4; ++which) accept(which);
  servers[0]->states.set(stats::ServerState::Unhealthy);
  pass(4s + 1ms);
  EXPECT_EQ(connections(), 6u);
  for (size_t which = 4; which < 6; ++which) EXPECT_EQ(server(which).address, servers[1]->address);
  servers[0]->states.clear(stats::ServerState::Unhealthy);
  pools.on_server_changed(*servers[0]);
  end_turn();
  EXPECT_EQ(connections(), 8u);
}

TEST_F(MinIdleTest, AReloadChangesIt) {
  start();
  accept(0);
  accept(1);
  pool().min_idle = 3;
  start();
  ASSERT_EQ(connections(), 3u);
  accept(2);
  pool().min_idle = 0;
  start();
  pass(4s + 1ms);
  EXPECT_EQ(connections(), 3u);
  EXPECT_EQ(idle(), 0);
}

TEST_F(MinIdleTest, NoneIsOpenedWhenTheProxyStops) {
  start();
  accept(0);
  accept(1);
  pools.close_idle();
  end_turn();
  EXPECT_TRUE(server(0).closed);
  EXPECT_EQ(connections(), 2u);
}

class DrainedServerTest : public ProxyInMemory {
 protected:
  DrainedServerTest() { settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}}; }
  void drain(bool on) {
    if (on) {
      servers[0]->states.set(stats::ServerState::Draining);
    } else {
      servers[0]->states.clear(stats::ServerState::Draining);
    }
    pools.on_server_changed(*servers[0]);
    end_turn();
  }
  // A request on the first server, under way. Returns its connection.
  size_t hold() {
    for (;;) {
      Call& call = get("/hold");
      const size_t which = connections() - 1;
      accept(which);
      if (server(which).address == servers[0]->address) return which;
      say(which, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      drop(call);
    }
  }
  int64_t gauge(stats::UpstreamState state) { return sum().connections[state].value(); }
};

TEST_F(DrainedServerTest, GetsNoNewRequestsAndFinishesWhatItHas) {
  apply();
  const size_t held = hold();
  drain(true);
  EXPECT_EQ(gauge(stats::UpstreamState::Active), 1);
  for (int i = 0; i < 4; ++i) {
    get();
    EXPECT_EQ(network.connections.back()->address, servers[1]->address);
  }
  say(held, kOk);
  EXPECT_TRUE(server(held).closed);
  EXPECT_EQ(closed(CloseReason::Drained), 1u);
}

TEST_F(DrainedServerTest, ItsIdleConnectionsClose) {
  apply();
  const size_t held = hold();
  say(held, kOk);
  EXPECT_EQ(gauge(stats::UpstreamState::Idle), 1);
  drain(true);
  EXPECT_TRUE(server(held).closed);
}

TEST_F(DrainedServerTest, BackInServiceWhatIsBusyIsKept) {
  apply();
  const size_t held = hold();
  drain(true);
  drain(false);
  say(held, kOk);
  EXPECT_FALSE(server(held).closed);
  EXPECT_EQ(gauge(stats::UpstreamState::Idle), 1);
}

TEST_F(DrainedServerTest, WhenAllDrainThereIsNone) {
  settings().servers.pop_back();
  apply();
  drain(true);
  EXPECT_EQ(get().client.status, 503);
  drain(false);
  get();
  EXPECT_EQ(connections(), 1u);
}

}  // namespace
}  // namespace berth::exchange
