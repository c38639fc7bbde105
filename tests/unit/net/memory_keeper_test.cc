#include "proxy/net/memory_keeper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/byte_buffer.h"

namespace berth::net {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kBudget = 16 * 1024 * 1024;
constexpr size_t kBlock = 64 * 1024;

// A client that has what it holds in one chain.
class Holder final : public MemoryAccount {
 public:
  Holder(MemoryKeeper& keeper, std::string_view address)
      : MemoryAccount(keeper), address_(*Address::parse(address)) {}

  void hold(size_t bytes) {
    while (bytes > 0) {
      const size_t part = std::min(bytes, kBlock);
      chain.append(std::string(part, 'x'));
      bytes -= part;
    }
  }

  Chain chain{this};
  size_t credit = 0;
  bool others_wait = false;
  bool stands_for_many = false;
  int ended = 0;
  int woken = 0;

 private:
  uint64_t memory_budget() const override { return kBudget; }
  const Address* counted_address() const override { return stands_for_many ? nullptr : &address_; }
  size_t memory_credit() const override { return credit; }
  bool keeps_others_waiting() override { return others_wait; }
  void end_largest() override {
    ++ended;
    for (int i = 0; i < 4 && !chain.empty(); ++i) chain.pop();  // thrown away: nothing moves
  }
  void on_memory() override { ++woken; }

  const Address address_;
};

class MemoryKeeperTest : public testing::Test {
 protected:
  Holder& holder(std::string_view address = "192.0.2.1:1") {
    return *holders_.emplace_back(std::make_unique<Holder>(keeper_, address));
  }
  void end_turn() { turn_.run(); }
  void pass(Duration time) {
    const TimePoint end = time_.now() + time;
    while (time_.now() < end) {
      time_.set_now(time_.now() + 100ms);
      timers_.advance(time_.now());
      end_turn();
    }
  }

  event::TimeSource time_;
  event::TimerQueue timers_{TimePoint{}};
  event::TurnQueue turn_;
  event::Runtime runtime_{time_, timers_, turn_};
  MemoryKeeper keeper_{runtime_};
  std::vector<std::unique_ptr<Holder>> holders_;
};

TEST_F(MemoryKeeperTest, AnAccountHoldsWhatItsBlocksTakeNotWhatIsInThem) {
  Holder& one = holder();
  const size_t before = buffered_memory();
  one.chain.push(ByteBuffer::copy_of("x", kBlock));
  EXPECT_GT(one.held(), kBlock);
  EXPECT_EQ(buffered_memory() - before, one.held());
  one.chain.clear();
  EXPECT_EQ(one.held(), 0u);
  EXPECT_EQ(buffered_memory(), before);
}

TEST_F(MemoryKeeperTest, WhatABufferGrowsToIsChargedToo) {
  Holder& one = holder();
  ByteBuffer buffer = ByteBuffer::copy_of("x");
  buffer.charge_to(&one);
  buffer.append(std::string(kBlock, 'y'));
  EXPECT_GT(one.held(), kBlock);
  buffer.charge_to(nullptr);
  EXPECT_EQ(one.held(), 0u);
}

TEST_F(MemoryKeeperTest, WhoTakesNothingMayHoldItsShareAndNoMore) {
  Holder& one = holder();
  one.hold(kBudget / 16);
  end_turn();
  EXPECT_FALSE(keeper_.must_wait(one));
  EXPECT_FALSE(keeper_.refuses(one));
  one.hold(kBudget / 8);
  EXPECT_TRUE(keeper_.must_wait(one));
  end_turn();
  EXPECT_GT(one.ended, 0);
  EXPECT_LE(one.held(), kBudget / 8);
  EXPECT_EQ(one.woken, 1) << "there is room again";
  EXPECT_TRUE(keeper_.refuses(one)) << "nothing new for it";
}

TEST_F(MemoryKeeperTest, WhoMovesIsHeldBackAndLosesNothing) {
  Holder& one = holder();
  one.hold(kBudget / 8 + 8 * kBlock);
  for (int i = 0; i < 100; ++i) {
    one.chain.consume(kBlock);
    one.hold(kBlock);
    EXPECT_TRUE(keeper_.must_wait(one));
    pass(100ms);
  }
  EXPECT_EQ(one.ended, 0);
  EXPECT_FALSE(keeper_.refuses(one));
}

TEST_F(MemoryKeeperTest, AFreshOneIsGivenItsCreditAMoment) {
  Holder& one = holder();
  one.credit = kBlock;
  one.hold(kBudget / 8 + kBlock);
  end_turn();
  EXPECT_EQ(one.ended, 0);
  pass(3s);
  EXPECT_GT(one.ended, 0);
}

TEST_F(MemoryKeeperTest, WhereOthersWaitForItsConnectionTheMomentIsShort) {
  Holder& one = holder();
  one.credit = kBlock;
  one.others_wait = true;
  one.hold(kBudget / 8 + kBlock);
  EXPECT_TRUE(keeper_.must_wait(one));
  pass(300ms);
  EXPECT_GT(one.ended, 0);
}

TEST_F(MemoryKeeperTest, TheConnectionsOfOneAddressShareOneShare) {
  for (int i = 0; i < 5; ++i) holder("192.0.2.1:" + std::to_string(i + 1)).hold(kBudget / 16);
  Holder& other = holder("192.0.2.2:1");
  other.hold(kBudget / 16);
  end_turn();
  size_t of_one = 0;
  for (int i = 0; i < 5; ++i) of_one += holders_[static_cast<size_t>(i)]->held();
  EXPECT_LE(of_one, kBudget / 4);
  EXPECT_EQ(other.ended, 0);
}

TEST_F(MemoryKeeperTest, ProxiesThatAreTrustedHaveNoShareOfAnAddress) {
  for (int i = 0; i < 8; ++i) {
    Holder& one = holder("192.0.2.1:" + std::to_string(i + 1));
    one.stands_for_many = true;
    one.hold(kBudget / 16);
  }
  end_turn();
  for (const auto& one : holders_) EXPECT_EQ(one->ended, 0);
}

TEST_F(MemoryKeeperTest, AllTogetherStayWithinTheBudgetTheSlowestLosingFirst) {
  Holder& fast = holder("198.51.100.1:1");
  fast.credit = 100 * kBlock;
  fast.hold(4 * kBlock);
  for (int i = 0; i < 60; ++i) {
    holder("192.0.2." + std::to_string(i) + ":1").hold(6 * kBlock);
    end_turn();
    EXPECT_LE(buffered_memory(), kBudget);
  }
  EXPECT_EQ(fast.ended, 0);
  EXPECT_GT(keeper_.losses(), 0u);
  EXPECT_EQ(keeper_.last_loser().substr(0, 8), "192.0.2.");
}

TEST_F(MemoryKeeperTest, OthersWhoHoldLittleCostNoTimer) {
  Holder& one = holder();
  one.hold(1000);
  EXPECT_EQ(timers_.next_deadline(), TimePoint::max());
  one.hold(kBlock);
  EXPECT_NE(timers_.next_deadline(), TimePoint::max());
  one.chain.clear();
  pass(200ms);
  EXPECT_EQ(timers_.next_deadline(), TimePoint::max());
}

TEST(AddressTotals, CountOverAllWorkersByTheNetworkOfIPv6) {
  const AddressKey v6 = AddressKey::of(*Address::parse("[2001:db8:1:2:3::4]:5"));
  EXPECT_EQ(v6, AddressKey::of(*Address::parse("[2001:db8:1:2:ffff::1]:6")));
  EXPECT_FALSE(v6 == AddressKey::of(*Address::parse("[2001:db8:1:3::4]:5")));
  EXPECT_EQ(tell_address_total(v6, 0, 10), 10u);
  EXPECT_EQ(tell_address_total(v6, 0, 5), 15u);
  EXPECT_EQ(tell_address_total(v6, 10, 0), 5u);
  EXPECT_EQ(tell_address_total(v6, 5, 0), 0u);
}

}  // namespace
}  // namespace berth::net
