#include "proxy/stats/registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace berth::stats {
namespace {

ConfiguredLabels configured_app() {
  ConfiguredLabels labels;
  labels.listeners = {":80"};
  labels.servers = {{"app", "a:1"}};
  labels.upstreams = {"app"};
  return labels;
}

TEST(RegistryTest, SumsOverWorkers) {
  Registry registry;
  const auto one = registry.listener(":80");
  const auto two = registry.listener(":80");
  const auto other = registry.listener(":81");
  ASSERT_NE(one, two);
  one->sent_bytes.add(3);
  two->sent_bytes.add(4);
  one->connections[ClientState::Reading].add(-1);  // handed over
  two->connections[ClientState::Reading].add(2);

  const Snapshot now = registry.snapshot();
  ASSERT_EQ(now.listeners.size(), 2u);
  EXPECT_EQ(now.listeners[0].name, ":80");
  EXPECT_EQ(now.listeners[0].stats->sent_bytes.value(), 7u);
  EXPECT_EQ(now.listeners[0].stats->connections[ClientState::Reading].value(), 1);
  EXPECT_EQ(now.listeners[1].stats->sent_bytes.value(), 0u);
}

TEST(RegistryTest, KeepsWhatAGoneHolderCountedWhileAnotherLives) {
  Registry registry;
  auto gone = registry.server("app", "a:1");
  const auto stays = registry.server("app", "a:1");
  gone->connections_opened.add(5);
  gone->connections[UpstreamState::Connecting].add(-1);
  gone->connect_duration.observe(150);
  stays->connections_opened.add(1);
  stays->connections[UpstreamState::Connecting].add(1);
  gone.reset();

  const Snapshot now = registry.snapshot();
  ASSERT_EQ(now.servers.size(), 1u);
  EXPECT_EQ(now.servers[0].stats->connections_opened.value(), 6u);
  EXPECT_EQ(now.servers[0].stats->connections[UpstreamState::Connecting].value(), 0);
  EXPECT_EQ(now.servers[0].stats->connect_duration.bucket(1), 1u);
}

TEST(RegistryTest, LabelVanishesWithItsLastHolder) {
  Registry registry;
  auto stats = registry.queue("app");
  auto facts = registry.queue_facts("app");
  stats->rejected[QueueReject::Full].add(9);
  stats.reset();
  EXPECT_EQ(registry.snapshot().queues.size(), 1u) << "the facts still hold it";
  facts.reset();
  EXPECT_TRUE(registry.snapshot().queues.empty());
  const auto again = registry.queue("app");
  EXPECT_EQ(registry.snapshot().queues[0].stats->rejected[QueueReject::Full].value(), 0u);
}

TEST(RegistryTest, ConfiguredLabelKeepsItsNumbersWithoutHolders) {
  Registry registry;
  registry.retain(configured_app());
  ASSERT_EQ(registry.snapshot().listeners.size(), 1u) << "shown before a worker asks";
  registry.server("app", "a:1")->connections_opened.add(2);  // let go of at once
  registry.server("app", "a:1")->connections_opened.add(3);
  const Snapshot now = registry.snapshot();
  ASSERT_EQ(now.servers.size(), 1u);
  EXPECT_EQ(now.servers[0].stats->connections_opened.value(), 5u);

  registry.retain({});
  EXPECT_TRUE(registry.snapshot().servers.empty());
  EXPECT_TRUE(registry.snapshot().listeners.empty());
  EXPECT_TRUE(registry.snapshot().queues.empty());
}

TEST(RegistryTest, LabelThatLeftTheConfigurationStaysUntilItsHoldersAreGone) {
  Registry registry;
  registry.retain(configured_app());
  auto stats = registry.server("app", "a:1");
  registry.retain({});
  EXPECT_EQ(registry.snapshot().servers.size(), 1u) << "it drains";
  stats.reset();
  EXPECT_TRUE(registry.snapshot().servers.empty());
}

TEST(RegistryTest, FactsAreShared) {
  Registry registry;
  auto one = registry.server_facts("app", "a:1");
  const auto same = registry.server_facts("app", "a:1");
  const auto other = registry.server_facts("app", "b:1");
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
  one->connections_limit = 7;
  EXPECT_EQ(registry.snapshot().servers[0].facts->connections_limit, 7u);
  EXPECT_EQ(registry.snapshot().servers[1].facts->connections_limit, 0u);
}

TEST(RegistryTest, RenamedCountersGoOnUnderTheNewLabel) {
  Registry registry;
  registry.retain({.listeners = {"a", "b"}, .servers = {}, .upstreams = {}});
  auto a = registry.listener("a");
  const auto b = registry.listener("b");
  a->sent_bytes.add(1);
  b->sent_bytes.add(20);

  registry.rename_listeners({{"a", "b"}, {"b", "a"}});
  registry.listener("b")->sent_bytes.add(2);
  a->sent_bytes.add(4);
  a.reset();
  Snapshot now = registry.snapshot();
  ASSERT_EQ(now.listeners.size(), 2u);
  EXPECT_EQ(now.listeners[0].stats->sent_bytes.value(), 20u);
  EXPECT_EQ(now.listeners[1].stats->sent_bytes.value(), 7u);

  // Onto a label that something old still has: together they are one.
  registry.rename_listeners({{"b", "a"}});
  registry.listener("a")->sent_bytes.add(100);
  now = registry.snapshot();
  ASSERT_EQ(now.listeners.size(), 1u);
  EXPECT_EQ(now.listeners[0].name, "a");
  EXPECT_EQ(now.listeners[0].stats->sent_bytes.value(), 127u);
}

TEST(RegistryTest, NumbersOfAWorkerOutliveIt) {
  Registry registry;
  auto worker = registry.worker(0);
  const auto other = registry.worker(1);
  worker->access_log_dropped.add(4);
  EXPECT_EQ(registry.snapshot().worker_count, 2u);
  worker.reset();
  const Snapshot now = registry.snapshot();
  EXPECT_EQ(now.worker_count, 1u);
  EXPECT_EQ(now.workers->access_log_dropped.value(), 4u);
}

TEST(RegistryTest, HoldersMayOutliveTheRegistry) {
  auto registry = std::make_unique<Registry>();
  registry->retain(configured_app());
  const auto stats = registry->server("app", "a:1");
  const auto facts = registry->server_facts("app", "a:1");
  registry.reset();
  stats->connections_opened.add();
  facts->state = ServerState::BackingOff;
}

// Workers come, count and go while the main thread scrapes: no sum ever goes backwards, and none is
// lost.
TEST(RegistryTest, ThreadedScrapesSeeEveryCountOnceAndNeverLess) {
  constexpr uint64_t kWorkers = 4;
  constexpr uint64_t kRounds = 200;
  constexpr uint64_t kCounts = 50;
  Registry registry;
  registry.retain(configured_app());
  std::atomic<uint64_t> running{kWorkers};
  std::vector<std::thread> workers;
  for (uint64_t w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&] {
      for (uint64_t round = 0; round < kRounds; ++round) {
        const auto facts = registry.server_facts("app", "a:1");
        const auto stats = registry.server("app", "a:1");
        for (uint64_t i = 0; i < kCounts; ++i) {
          stats->connections_opened.add();
          stats->connect_duration.observe(i);
        }
        facts->connections_limit = static_cast<uint32_t>(round);
      }
      --running;
    });
  }
  uint64_t last = 0;
  while (running > 0) {
    const Snapshot now = registry.snapshot();
    ASSERT_EQ(now.servers.size(), 1u);
    const uint64_t opened = now.servers[0].stats->connections_opened.value();
    EXPECT_GE(opened, last);
    last = opened;
  }
  for (auto& worker : workers) worker.join();
  const Snapshot end = registry.snapshot();
  EXPECT_EQ(end.servers[0].stats->connections_opened.value(), kWorkers * kRounds * kCounts);
  EXPECT_EQ(end.servers[0].stats->connect_duration.bucket(0), kWorkers * kRounds * kCounts);
}

}  // namespace
}  // namespace berth::stats
