#include "proxy/event/message_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace berth::event {
namespace {

class Letter final : public Message {
 public:
  Letter(std::function<void()> read, std::function<void()> gone)
      : read_(std::move(read)), gone_(std::move(gone)) {}
  ~Letter() override { gone_(); }
  void deliver() override { read_(); }

 private:
  std::function<void()> read_;
  std::function<void()> gone_;
};

class MessageQueueTest : public testing::Test {
 protected:
  // Its delivery is noted in lower case, its end in upper case.
  std::unique_ptr<Message> letter(char name) {
    return std::make_unique<Letter>([this, name] { log += name; },
                                    [this, name] { log += static_cast<char>(name - 'a' + 'A'); });
  }
  std::string log;
  MessageQueue queue;
};

TEST_F(MessageQueueTest, DeliversInOrderAndDestroysEachRightAfter) {
  queue.push(letter('a'));
  queue.push(letter('b'));
  queue.push(letter('c'));
  EXPECT_EQ(log, "");
  queue.deliver_all();
  EXPECT_EQ(log, "aAbBcC");
  queue.deliver_all();
  EXPECT_EQ(log, "aAbBcC");
}

TEST_F(MessageQueueTest, OnlyTheFirstMessageAsksForAWakeUp) {
  EXPECT_TRUE(queue.push(letter('a')));
  EXPECT_FALSE(queue.push(letter('b')));
  queue.deliver_all();
  EXPECT_TRUE(queue.push(letter('c')));
}

// Otherwise a pair of messages that answer each other would hold the receiver for ever.
TEST_F(MessageQueueTest, WhatIsSentDuringADeliveryWaitsForTheNextOne) {
  bool wake = false;
  queue.push(
      std::make_unique<Letter>([&] { wake = queue.push(letter('b')); }, [&] { log += '1'; }));
  queue.deliver_all();
  EXPECT_EQ(log, "1");
  EXPECT_TRUE(wake);
  queue.deliver_all();
  EXPECT_EQ(log, "1bB");
}

TEST_F(MessageQueueTest, WhatIsNeverDeliveredIsDestroyed) {
  {
    MessageQueue brief;
    brief.push(letter('a'));
    brief.push(letter('b'));
  }
  EXPECT_EQ(log.size(), 2u);
  EXPECT_NE(log.find('A'), std::string::npos);
  EXPECT_NE(log.find('B'), std::string::npos);
}

TEST(MessageQueueThreaded, KeepsEachSendersOrderAndLosesNothing) {
  constexpr size_t kSenders = 4;
  constexpr uint32_t kEach = 20'000;
  struct Numbered final : Message {
    Numbered(std::vector<uint32_t>& seen, uint32_t value) : into(seen), number(value) {}
    void deliver() override { into.push_back(number); }
    std::vector<uint32_t>& into;
    const uint32_t number;
  };
  std::array<std::vector<uint32_t>, kSenders> seen;
  MessageQueue queue;
  std::atomic<uint64_t> wake_ups{0};
  std::vector<std::thread> senders;
  for (size_t s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      for (uint32_t i = 0; i < kEach; ++i) {
        if (queue.push(std::make_unique<Numbered>(seen[s], i))) ++wake_ups;
      }
    });
  }
  // As a loop does it: looks only when it was woken.
  uint64_t answered = 0;
  size_t total = 0;
  while (total < kSenders * kEach) {
    if (wake_ups.load() == answered) {
      std::this_thread::yield();
      continue;
    }
    ++answered;
    queue.deliver_all();
    total = 0;
    for (const auto& numbers : seen) total += numbers.size();
  }
  for (std::thread& sender : senders) sender.join();
  for (const auto& numbers : seen) {
    ASSERT_EQ(numbers.size(), kEach);
    for (uint32_t i = 0; i < kEach; ++i) ASSERT_EQ(numbers[i], i);
  }
}

}  // namespace
}  // namespace berth::event
