#include "proxy/exchange/request_body.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/exchange/memory_spool.h"

namespace berth::exchange {
namespace {

constexpr size_t kBlock = RequestBody::kBlock;

// No two blocks of it are the same.
std::string text(size_t size) {
  std::string out(size, ' ');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return out;
}

class RequestBodyTest : public testing::Test {
 protected:
  std::string read_all() {
    std::string all;
    while (body.unread() > 0) {
      const std::string_view part = body.read();
      EXPECT_FALSE(part.empty());
      EXPECT_LE(part.size(), kBlock);
      if (part.empty()) break;
      all += part;
    }
    return all;
  }

  MemorySpool spool;
  net::Scratch scratch;
  RequestBody body;
};

TEST_F(RequestBodyTest, WhatWasInMemoryComesBeforeWhatWentToTheFile) {
  const std::string all = text(3 * kBlock + 5);
  const std::string_view view = all;
  body.keep(view.substr(0, 100), scratch);
  body.keep(view.substr(100, 900), scratch);
  ASSERT_EQ(body.move_to_file(spool), CloseReason::None);
  EXPECT_EQ(spool.bytes, 1000U);
  for (size_t at = 1000; at < all.size(); at += 777) {
    ASSERT_EQ(body.spool(view.substr(at, 777)), CloseReason::None);
  }
  EXPECT_EQ(body.size(), all.size());
  EXPECT_EQ(read_all(), all);
  body.rewind();
  EXPECT_EQ(read_all(), all);
  EXPECT_LE(spool.largest_write, kBlock);
  EXPECT_LE(spool.largest_read, kBlock);
}

TEST_F(RequestBodyTest, SizesAroundABlockLoseNothing) {
  for (const size_t size : {size_t{1}, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock}) {
    const std::string all = text(size);
    body.clear();
    body.keep(std::string_view(all).substr(0, 1), scratch);
    ASSERT_EQ(body.move_to_file(spool), CloseReason::None);
    ASSERT_EQ(body.spool(std::string_view(all).substr(1)), CloseReason::None);
    EXPECT_EQ(read_all(), all) << size;
  }
}

TEST_F(RequestBodyTest, MoreMayComeWhileItIsRead) {
  body.keep("one", scratch);
  ASSERT_EQ(body.move_to_file(spool), CloseReason::None);
  EXPECT_EQ(read_all(), "one");
  ASSERT_EQ(body.spool("two"), CloseReason::None);
  EXPECT_EQ(body.unread(), 3U);
  EXPECT_EQ(read_all(), "two");
  body.rewind();
  EXPECT_EQ(read_all(), "onetwo");
}

TEST_F(RequestBodyTest, SmallPiecesAreWrittenTogether) {
  ASSERT_EQ(body.move_to_file(spool), CloseReason::None);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(body.spool("0123456789"), CloseReason::None);
  EXPECT_EQ(spool.bytes, 0U);
  ASSERT_EQ(body.spool(text(kBlock)), CloseReason::None);
  EXPECT_EQ(spool.bytes, kBlock + 1000);
}

TEST_F(RequestBodyTest, NothingOfItIsLeftBehind) {
  body.keep("one", scratch);
  ASSERT_EQ(body.move_to_file(spool), CloseReason::None);
  EXPECT_EQ(spool.files, 1);
  body.clear();
  EXPECT_EQ(spool.files, 0);
  EXPECT_TRUE(body.empty());
  EXPECT_FALSE(body.in_file());
}

TEST_F(RequestBodyTest, AFullDiskAndABrokenOneAreTold) {
  spool.room = 2;
  body.keep("one", scratch);
  EXPECT_EQ(body.move_to_file(spool), CloseReason::SpoolFull);
  body.clear();
  body.keep("on", scratch);
  EXPECT_EQ(body.move_to_file(spool), CloseReason::None);
  EXPECT_EQ(body.spool(text(kBlock)), CloseReason::SpoolFull);
  spool.broken = true;
  EXPECT_EQ(body.read(), "");
}

}  // namespace
}  // namespace berth::exchange
