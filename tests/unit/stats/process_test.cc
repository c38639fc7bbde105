#include "proxy/stats/process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "proxy/base/unique_fd.h"

namespace berth::stats {
namespace {

// A folder shaped as /proc, with the files that are read.
class FakeProc {
 public:
  FakeProc() {
    std::string name = std::filesystem::temp_directory_path() / "berth-proc-XXXXXX";
    root_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(root_ / "self");
    write("stat", "cpu  1 2 3\nctxt 5\nbtime 1700000000\nprocesses 9\n");
    write("self/limits",
          "Limit                     Soft Limit           Hard Limit           Units\n"
          "Max open files            20000                40000                files\n");
    write("self/stat", stat_line("berth"));
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }

  static std::string stat_line(const std::string& name) {
    return "77 (" + name +
           ") S 1 77 77 0 -1 4194560 10 0 0 0 250 150 0 0 20 0 3 0 12345 8192000 321 "
           "18446744073709551615\n";
  }
  void write(const std::string& path, const std::string& text) {
    std::ofstream(root_ / path) << text;
  }
  std::string root() const { return root_; }

 private:
  std::filesystem::path root_;
};

TEST(ProcfsTest, ReadsTheFieldsOfProc) {
  const FakeProc proc;
  const auto facts = ProcfsSource(proc.root()).read();
  ASSERT_TRUE(facts);
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(facts->cpu_seconds, 400 / ticks);
  EXPECT_DOUBLE_EQ(facts->start_time_seconds, 1700000000 + 12345 / ticks);
  EXPECT_EQ(facts->virtual_bytes, 8192000u);
  EXPECT_EQ(facts->resident_bytes, 321u * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(facts->max_fds, 20000u);
}

TEST(ProcfsTest, ProgramNameMayHoldAnything) {
  FakeProc proc;
  proc.write("self/stat", FakeProc::stat_line("a) S 1 (b"));
  const auto facts = ProcfsSource(proc.root()).read();
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->virtual_bytes, 8192000u);
}

TEST(ProcfsTest, NothingWhereThereIsNoProc) {
  FakeProc proc;
  EXPECT_FALSE(ProcfsSource(proc.root() + "/absent").read());
  proc.write("self/stat", "77 (berth) S 1 77");
  EXPECT_FALSE(ProcfsSource(proc.root()).read());
}

TEST(ProcfsTest, CountsTheOpenFdsOfThisProcess) {
  const auto before = ProcfsSource().read();
  const UniqueFd one(::dup(0));
  const UniqueFd two(::dup(0));
  const auto after = ProcfsSource().read();
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->open_fds, before->open_fds + 2);
  EXPECT_GT(after->resident_bytes, 0u);
  EXPECT_GT(after->max_fds, 0u);
}

}  // namespace
}  // namespace berth::stats
