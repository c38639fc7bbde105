#include "proxy/net/byte_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace berth::net {
namespace {

std::string text(const ByteBuffer& buffer) {
  return std::string(buffer.view());
}

std::string text(const Chain& chain) {
  std::string all;
  chain.for_each_part([&](std::string_view part) {
    all += part;
    return true;
  });
  return all;
}

std::vector<std::string> parts(const Chain& chain) {
  std::vector<std::string> all;
  chain.for_each_part([&](std::string_view part) {
    all.emplace_back(part);
    return true;
  });
  return all;
}

// Fills the scratch as a read would.
std::string_view fill(Scratch& scratch, std::string_view bytes) {
  std::memcpy(scratch.data(), bytes.data(), bytes.size());
  return {scratch.data(), bytes.size()};
}

// --- ByteBuffer

TEST(ByteBuffer, AnEmptyHandleHasNoBlock) {
  const ByteBuffer none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(none.capacity(), 0u);
  EXPECT_EQ(none.room(), 0u);
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_TRUE(none.view().empty());
  EXPECT_FALSE(none.contains("x"));
}

TEST(ByteBuffer, HasAtLeastTheCapacityThatWasAskedFor) {
  for (const size_t capacity :
       {size_t{0}, size_t{1}, size_t{2047}, size_t{2048}, size_t{2049}, size_t{65535},
        Scratch::kSize, Scratch::kSize + 1, size_t{1} << 20}) {
    ByteBuffer buffer = ByteBuffer::with_capacity(capacity);
    EXPECT_TRUE(buffer);
    EXPECT_TRUE(buffer.empty());
    EXPECT_GE(buffer.room(), capacity);
    EXPECT_EQ(buffer.room(), buffer.capacity());
    std::memset(buffer.tail(), 'x', buffer.room());  // all of it is ours (ASan)
  }
}

TEST(ByteBuffer, GrowsAtItsEndAndIsUsedFromItsBeginning) {
  ByteBuffer buffer = ByteBuffer::with_capacity(100);
  const size_t room = buffer.room();
  std::memcpy(buffer.tail(), "hello world", 11);
  buffer.grow(11);
  EXPECT_EQ(text(buffer), "hello world");
  EXPECT_EQ(buffer.room(), room - 11);
  buffer.consume(6);
  EXPECT_EQ(text(buffer), "world");
  EXPECT_EQ(buffer.size(), 5u);
  EXPECT_EQ(buffer.room(), room - 11);
  buffer.consume(5);
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(buffer);
}

TEST(ByteBuffer, KeepsAPartOfItself) {
  ByteBuffer buffer = ByteBuffer::copy_of("GET / body rest");
  buffer.keep(buffer.view().substr(6, 4));
  EXPECT_EQ(text(buffer), "body");
  buffer.keep(buffer.view().substr(4));
  EXPECT_TRUE(buffer.empty());
}

TEST(ByteBuffer, CopiesAreItsOwn) {
  std::string source = "abc";
  const ByteBuffer copy = ByteBuffer::copy_of(source, 5000);
  source = "xyz";
  EXPECT_EQ(text(copy), "abc");
  EXPECT_GE(copy.room(), 5000u);
}

TEST(ByteBuffer, CopyOfNothingIsAnEmptyBlock) {
  const ByteBuffer copy = ByteBuffer::copy_of("");
  EXPECT_TRUE(copy);
  EXPECT_TRUE(copy.empty());
}

TEST(ByteBuffer, AppendsInPlaceWhileThereIsRoom) {
  ByteBuffer buffer = ByteBuffer::copy_of("abc", 100);
  const char* at = buffer.data();
  buffer.append("def");
  EXPECT_EQ(buffer.data(), at);
  EXPECT_EQ(text(buffer), "abcdef");
}

TEST(ByteBuffer, AppendMovesTheUnreadBytesWhenThereIsNoRoom) {
  const std::string head(2000, 'a');
  ByteBuffer buffer = ByteBuffer::copy_of("used" + head);
  buffer.consume(4);
  const std::string more(100'000, 'b');
  buffer.append(more);
  EXPECT_EQ(text(buffer), head + more);
  buffer.append("");
  EXPECT_EQ(buffer.size(), head.size() + more.size());
}

TEST(ByteBuffer, AppendToAnEmptyHandleMakesABlock) {
  ByteBuffer buffer;
  buffer.append("");
  EXPECT_FALSE(buffer);
  buffer.append("abc");
  EXPECT_EQ(text(buffer), "abc");
}

TEST(ByteBuffer, AppendingByteByByteKeepsThemAll) {
  ByteBuffer buffer;
  std::string all;
  for (int i = 0; i < 20'000; ++i) {
    const char c = static_cast<char>('a' + i % 26);
    buffer.append({&c, 1});
    all += c;
  }
  EXPECT_EQ(text(buffer), all);
}

TEST(ByteBuffer, ContainsItsWholeBlockAndNothingElse) {
  ByteBuffer buffer = ByteBuffer::copy_of("abc");
  const ByteBuffer other = ByteBuffer::copy_of("abc");
  const char* begin = buffer.data();
  EXPECT_TRUE(buffer.contains(begin));
  EXPECT_TRUE(buffer.contains(begin + buffer.capacity() - 1));
  EXPECT_FALSE(buffer.contains(begin + buffer.capacity()));
  EXPECT_FALSE(buffer.contains(begin - 1));
  EXPECT_FALSE(buffer.contains(other.data()));
  buffer.consume(2);
  EXPECT_TRUE(buffer.contains(begin));
}

TEST(ByteBuffer, AMoveLeavesTheOriginWithoutABlock) {
  ByteBuffer from = ByteBuffer::copy_of("abc");
  const ByteBuffer to = std::move(from);
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(text(to), "abc");
}

// Blocks of the usual sizes are used again: a new one must not show what an old one held.
TEST(ByteBuffer, AReusedBlockIsEmpty) {
  for (const size_t capacity : {size_t{100}, Scratch::kSize}) {
    ByteBuffer first = ByteBuffer::with_capacity(capacity);
    first.append("secret");
    first.consume(2);
    first.reset();
    EXPECT_FALSE(first);
    const ByteBuffer second = ByteBuffer::with_capacity(capacity);
    EXPECT_TRUE(second.empty());
    EXPECT_EQ(second.room(), second.capacity());
    EXPECT_GE(second.capacity(), capacity);
  }
}

TEST(ByteBuffer, ManyBlocksAtOnceAreAllDifferent) {
  for (const size_t capacity : {size_t{100}, Scratch::kSize}) {
    std::vector<ByteBuffer> all;
    for (int round = 0; round < 2; ++round) {  // fresh ones, then those from the cache
      for (int i = 0; i < 300; ++i) {
        all.push_back(ByteBuffer::with_capacity(capacity));
        all.back().append(std::to_string(i));
      }
      for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(text(all[static_cast<size_t>(i)]), std::to_string(i));
      }
      all.clear();
    }
  }
}

// --- Chain

TEST(Chain, StartsEmpty) {
  Chain chain;
  EXPECT_TRUE(chain.empty());
  EXPECT_EQ(chain.size(), 0u);
  EXPECT_EQ(text(chain), "");
  chain.clear();
  chain.consume(0);
  EXPECT_TRUE(chain.empty());
}

TEST(Chain, HoldsBuffersInOrder) {
  Chain chain;
  chain.push(ByteBuffer::copy_of("one"));
  chain.push(ByteBuffer::copy_of(""));  // not kept
  chain.push(ByteBuffer());
  chain.push(ByteBuffer::copy_of("two"));
  EXPECT_EQ(parts(chain), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(chain.size(), 6u);
  EXPECT_EQ(text(chain.pop()), "one");
  EXPECT_EQ(chain.size(), 3u);
  EXPECT_EQ(text(chain.pop()), "two");
  EXPECT_TRUE(chain.empty());
  chain.push(ByteBuffer::copy_of("three"));  // the end was forgotten, too
  EXPECT_EQ(text(chain), "three");
}

TEST(Chain, AppendsWhereThereIsRoom) {
  Chain chain;
  chain.append("a");
  chain.append("b");
  chain.append("");
  EXPECT_EQ(parts(chain), std::vector<std::string>{"ab"});
  const std::string large(5000, 'x');
  chain.append(large);
  EXPECT_EQ(parts(chain), (std::vector<std::string>{"ab", large}));
  EXPECT_EQ(chain.size(), 5002u);
}

TEST(Chain, ConsumesAcrossBuffers) {
  Chain chain;
  for (const char* part : {"abc", "defg", "hi"}) chain.push(ByteBuffer::copy_of(part));
  chain.consume(2);
  EXPECT_EQ(parts(chain), (std::vector<std::string>{"c", "defg", "hi"}));
  chain.consume(1);
  EXPECT_EQ(parts(chain), (std::vector<std::string>{"defg", "hi"}));
  chain.consume(5);
  EXPECT_EQ(parts(chain), std::vector<std::string>{"i"});
  EXPECT_EQ(chain.size(), 1u);
  chain.consume(1);
  EXPECT_TRUE(chain.empty());
  EXPECT_EQ(chain.size(), 0u);
}

TEST(Chain, StopsVisitingWhenTold) {
  Chain chain;
  for (const char* part : {"a", "b", "c"}) chain.push(ByteBuffer::copy_of(part));
  std::string seen;
  chain.for_each_part([&](std::string_view part) {
    seen += part;
    return seen.size() < 2;
  });
  EXPECT_EQ(seen, "ab");
}

TEST(Chain, ClearsAll) {
  Chain chain;
  chain.append("a");
  chain.push(ByteBuffer::copy_of("b"));
  chain.clear();
  EXPECT_TRUE(chain.empty());
  EXPECT_EQ(chain.size(), 0u);
  chain.append("c");
  EXPECT_EQ(text(chain), "c");
}

TEST(Chain, BehavesAsAStringUnderRandomUse) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 30; ++round) {
    Chain chain;
    std::string model;
    for (int i = 0; i < 300; ++i) {
      const std::string bytes(random() % (i % 7 == 0 ? 6000 : 40), static_cast<char>('a' + i % 26));
      switch (random() % 4) {
        case 0:
          chain.push(ByteBuffer::copy_of(bytes, random() % 3000));
          model += bytes;
          break;
        case 1:
          chain.append(bytes);
          model += bytes;
          break;
        case 2: {
          const size_t n = random() % (model.size() + 1);
          chain.consume(n);
          model.erase(0, n);
          break;
        }
        default:
          if (!chain.empty()) model.erase(0, chain.pop().size());
          break;
      }
      ASSERT_EQ(chain.size(), model.size());
      ASSERT_EQ(chain.empty(), model.empty());
      ASSERT_EQ(text(chain), model);
      chain.for_each_part([](std::string_view part) {
        EXPECT_FALSE(part.empty());
        return true;
      });
    }
  }
}

// --- Scratch

TEST(Scratch, KnowsItsOwnBytes) {
  Scratch scratch;
  const char* begin = scratch.data();
  EXPECT_TRUE(scratch.contains(begin));
  EXPECT_TRUE(scratch.contains(begin + Scratch::kSize - 1));
  EXPECT_FALSE(scratch.contains(begin + Scratch::kSize));
  EXPECT_FALSE(scratch.contains("elsewhere"));
  EXPECT_FALSE(scratch.contains(nullptr));
}

TEST(Scratch, TakingThePartGivesTheBlockAwayAndAFreshOneComes) {
  Scratch scratch;
  const std::string_view bytes = fill(scratch, "headBODYrest");
  ByteBuffer taken = scratch.take(bytes.substr(4, 4));
  EXPECT_EQ(text(taken), "BODY");
  EXPECT_EQ(taken.data(), bytes.data() + 4);
  EXPECT_FALSE(scratch.contains(bytes.data()));
  fill(scratch, std::string(Scratch::kSize, 'x'));
  EXPECT_EQ(text(taken), "BODY");
}

TEST(Scratch, TakesManyBytesOverAndCopiesFew) {
  Scratch scratch;
  const std::string_view all = fill(scratch, std::string(Scratch::kSize, 'x'));
  const ByteBuffer few = scratch.keep(all.substr(0, Scratch::kSize / 2 - 1));
  EXPECT_EQ(few.size(), Scratch::kSize / 2 - 1);
  EXPECT_FALSE(few.contains(all.data()));
  EXPECT_TRUE(scratch.contains(all.data()));
  const ByteBuffer many = scratch.keep(all.substr(5, Scratch::kSize / 2));
  EXPECT_EQ(many.view().data(), all.data() + 5);
  EXPECT_EQ(many.size(), Scratch::kSize / 2);
  EXPECT_FALSE(scratch.contains(all.data()));
}

TEST(Scratch, DataDoesNotMoveBetweenReads) {
  Scratch scratch;
  const char* before = scratch.data();
  fill(scratch, "abc");
  EXPECT_EQ(scratch.data(), before);
}

}  // namespace
}  // namespace berth::net
