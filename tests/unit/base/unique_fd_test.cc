#include "proxy/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <type_traits>
#include <utility>

namespace berth {
namespace {

static_assert(!std::is_copy_constructible_v<UniqueFd>);
static_assert(!std::is_copy_assignable_v<UniqueFd>);
static_assert(std::is_nothrow_move_constructible_v<UniqueFd>);
static_assert(std::is_nothrow_move_assignable_v<UniqueFd>);

// A pipe tells whether its end was really closed: no guess from a number that may be in use again.
class UniqueFdTest : public ::testing::Test {
 protected:
  UniqueFdTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    reader_ = ends[0];
    writer_ = ends[1];
  }
  ~UniqueFdTest() override { ::close(reader_); }

  // Reading gives end of file once the writing end is closed, and EAGAIN before.
  bool writer_closed() const {
    char byte = 0;
    return ::read(reader_, &byte, 1) == 0;
  }

  int reader_ = -1;
  int writer_ = -1;
};

TEST_F(UniqueFdTest, OwnsNothingAtFirst) {
  UniqueFd none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.get(), -1);
  ::close(writer_);
}

TEST_F(UniqueFdTest, ClosesWhenItGoesOutOfScope) {
  {
    UniqueFd fd(writer_);
    EXPECT_TRUE(fd);
    EXPECT_EQ(fd.get(), writer_);
    EXPECT_FALSE(writer_closed());
  }
  EXPECT_TRUE(writer_closed());
}

TEST_F(UniqueFdTest, ZeroIsADescriptorLikeAnyOther) {
  UniqueFd fd(0);
  EXPECT_TRUE(fd);
  EXPECT_EQ(fd.release(), 0);
  ::close(writer_);
}

TEST_F(UniqueFdTest, ReleaseGivesUpOwnership) {
  {
    UniqueFd fd(writer_);
    EXPECT_EQ(fd.release(), writer_);
    EXPECT_FALSE(fd);
  }
  EXPECT_FALSE(writer_closed());
  ::close(writer_);
}

TEST_F(UniqueFdTest, MovingHandsOwnershipOver) {
  UniqueFd from(writer_);
  {
    UniqueFd to(std::move(from));
    EXPECT_EQ(to.get(), writer_);
    EXPECT_FALSE(writer_closed());
  }
  EXPECT_TRUE(writer_closed());
  EXPECT_FALSE(
      from);  // NOLINT(bugprone-use-after-move): a moved-from descriptor is empty by contract
}

TEST_F(UniqueFdTest, MoveAssignmentClosesWhatWasOwned) {
  UniqueFd fd(writer_);
  fd = UniqueFd();
  EXPECT_FALSE(fd);
  EXPECT_TRUE(writer_closed());
}

TEST_F(UniqueFdTest, MoveAssignmentToItselfKeepsTheDescriptor) {
  UniqueFd fd(writer_);
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), writer_);
  EXPECT_FALSE(writer_closed());
}

TEST_F(UniqueFdTest, ResetClosesTheOldDescriptorAndTakesTheNewOne) {
  int duplicate = ::fcntl(writer_, F_DUPFD_CLOEXEC, 0);
  UniqueFd fd(writer_);
  fd.reset(duplicate);
  EXPECT_EQ(fd.get(), duplicate);
  EXPECT_EQ(::fcntl(writer_, F_GETFD), -1);
  EXPECT_FALSE(writer_closed());
  fd.reset();
  EXPECT_TRUE(writer_closed());
}

}  // namespace
}  // namespace berth
