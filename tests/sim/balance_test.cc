// How requests are shared out among servers, by several workers and without chance in time.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr uint32_t kWorkers = 3;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Clients of all workers that ask again as soon as they have their answer, a few at a time.
class Town {
 public:
  explicit Town(size_t clients) {
    stage_.stand_at_once();
    serve(1);
    for (size_t i = 0; i < clients; ++i) callers_.push_back(stage_.call(i % kWorkers));
  }

  config::Upstream& upstream() { return stage_.upstream(); }
  void serve(int servers) {
    stage_.upstream().servers.clear();
    for (int i = 1; i <= servers; ++i) {
      stage_.upstream().servers.push_back({"10.0.0." + std::to_string(i) + ":80"});
    }
    stage_.apply();
  }
  void reload() { stage_.apply(); }
  void pass(Duration time) { stage_.pass(time); }

  // `rounds` requests of each client, of which `at_once` are under way at the same time; how many
  // each server was given.
  std::map<std::string, int> ask(int rounds, size_t at_once) {
    std::map<std::string, int> counts;
    for (int round = 0; round < rounds; ++round) {
      // In another order each time: a pattern that repeats itself would meet the same servers.
      for (size_t i = callers_.size(); i > 1; --i) {
        std::swap(callers_[i - 1], callers_[order_.below(i)]);
      }
      for (size_t first = 0; first < callers_.size(); first += at_once) {
        for (size_t i = first; i < std::min(first + at_once, callers_.size()); ++i) {
          callers_[i].say("GET /" + std::to_string(asked_++) + " HTTP/1.1\r\nHost: a\r\n\r\n");
          stage_.settle();
        }
        answer(counts);
        for (size_t i = first; i < std::min(first + at_once, callers_.size()); ++i) {
          EXPECT_TRUE(callers_[i].hear().starts_with("HTTP/1.1 200"));
        }
        stage_.pass(1ms);  // workers hear of each other's requests
      }
    }
    return counts;
  }

 private:
  void answer(std::map<std::string, int>& counts) {
    for (size_t i = 0; i < stage_.dialled(); ++i) {
      if (stage_.server(i).hear().empty()) continue;
      ++counts[stage_.server_address(i).to_string()];
      stage_.server(i).say(kAnswer);
    }
    stage_.settle();
  }

  Stage stage_{kWorkers};
  std::vector<Stage::Peer> callers_;
  Random order_{1};
  int asked_ = 0;
};

class ScaleUp : public testing::TestWithParam<config::Balance> {};

// After a reload from one server to four each has its share from the first request on, although the
// first has all the warm connections.
TEST_P(ScaleUp, GivesEachServerItsShareAtOnce) {
  for (const size_t at_once : {1, 7, 24}) {
    Town town(24);
    town.upstream().balance = GetParam();
    town.reload();
    EXPECT_EQ(town.ask(10, at_once).size(), 1U);
    town.serve(4);
    const auto counts = town.ask(100, at_once);
    ASSERT_EQ(counts.size(), 4U);
    for (const auto& [server, count] : counts) {
      EXPECT_NEAR(count, 600, 60) << server << ", " << at_once << " at once";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Balance, ScaleUp,
                         testing::Values(config::Balance::LeastRequests,
                                         config::Balance::RoundRobin, config::Balance::RandomTwo));

// What one worker's requests do to a server, the others see.
TEST(Balance, ThoseOfOtherWorkersCount) {
  Stage stage(2);
  stage.upstream().servers = {{"10.0.0.1:80"}, {"10.0.0.2:80"}};
  stage.stand_at_once();
  stage.apply();
  const auto get = [&](uint32_t worker) {
    Stage::Peer caller = stage.call(worker);
    caller.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.settle();
    return stage.server_address(stage.dialled() - 1);
  };
  // Whatever its own turns say, worker 1 avoids the server on which worker 0 has a request.
  for (int i = 0; i < 10; ++i) {
    const net::Address busy = get(0);
    stage.pass(2ms);
    EXPECT_FALSE(get(1) == busy);
    stage.pass(2ms);
  }
}

TEST(Balance, ANewServerStartsSlowly) {
  Town town(12);
  town.upstream().balance = config::Balance::RoundRobin;
  town.upstream().slow_start = 60s;
  town.serve(3);
  town.pass(61s);
  town.ask(1, 4);  // workers look at their clocks
  town.serve(4);
  const int begins = town.ask(50, 4)["10.0.0.4:80"];
  EXPECT_NEAR(begins, 20, 10);  // a tenth of a share of 600, against three whole ones
  town.pass(30s);
  EXPECT_NEAR(town.ask(50, 4)["10.0.0.4:80"], 86, 12);
  town.pass(31s);
  EXPECT_NEAR(town.ask(50, 4)["10.0.0.4:80"], 150, 12);
}

}  // namespace
}  // namespace berth::sim
