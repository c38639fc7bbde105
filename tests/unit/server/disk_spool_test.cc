#include "proxy/server/disk_spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace berth::server {
namespace {

class DiskSpoolTest : public testing::Test {
 protected:
  DiskSpoolTest() {
    char name[] = "/tmp/berth-spool-test-XXXXXX";
    folder = ::mkdtemp(name);
    settings.path = folder;
    settings.max_size = 1000;
    settings.budget = 1000;
  }
  ~DiskSpoolTest() override { std::filesystem::remove_all(folder); }

  DiskSpool& open() {
    spool.configure(settings, find_spool_folder(settings));
    return spool;
  }
  uint64_t failures(stats::SpoolFailure what) const { return stats.failures[what].load(); }

  std::string folder;
  config::Spool settings;
  stats::SpoolStats stats;
  std::vector<std::string> lines;
  DiskSpool spool{stats, [this](std::string line) { lines.push_back(std::move(line)); }};
};

TEST_F(DiskSpoolTest, WhatIsWrittenCanBeRead) {
  auto file = open().open();
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->append("hello "), CloseReason::None);
  EXPECT_EQ((*file)->append("world"), CloseReason::None);
  char got[5];
  ASSERT_TRUE((*file)->read(4, got, 5));
  EXPECT_EQ(std::string(got, 5), "o wor");
  EXPECT_EQ(stats.files, 1U);
  EXPECT_EQ(stats.bytes, 11U);
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "it has no name";
  *file = nullptr;
  EXPECT_EQ(stats.files, 0U);
  EXPECT_EQ(stats.bytes, 0U);
  EXPECT_EQ(stats.written_bytes, 11U);
}

TEST_F(DiskSpoolTest, TheBudgetIsForAllFiles) {
  auto one = open().open();
  auto two = spool.open();
  EXPECT_EQ((*one)->append(std::string(600, 'x')), CloseReason::None);
  EXPECT_EQ((*two)->append(std::string(401, 'x')), CloseReason::SpoolFull);
  EXPECT_EQ((*two)->append(std::string(400, 'x')), CloseReason::None);
  EXPECT_EQ(failures(stats::SpoolFailure::Budget), 1U);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], "an upload was refused: the files hold 600B, and spool.budget is 1000B");
  *one = nullptr;
  EXPECT_EQ((*two)->append(std::string(600, 'x')), CloseReason::None);
}

TEST_F(DiskSpoolTest, AFileThatMayNotGrowIsAFullDisk) {
  ::signal(SIGXFSZ, SIG_IGN);
  settings.budget = 1 << 20;
  auto file = open().open();
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 100;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const CloseReason failed = (*file)->append(std::string(200, 'x'));
  const CloseReason again = (*file)->append("x");
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(failed, CloseReason::SpoolFull);
  EXPECT_EQ(again, CloseReason::SpoolFull);
  EXPECT_EQ(failures(stats::SpoolFailure::DiskFull), 2U);
  EXPECT_EQ(lines.size(), 1U) << "at most one in ten seconds";
  *file = nullptr;
  EXPECT_EQ(stats.bytes, 0U);
}

TEST_F(DiskSpoolTest, AFolderThatHasGoneIsToldWhenItIsNeeded) {
  open();
  std::filesystem::remove_all(folder);
  const auto file = spool.open();
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error(), CloseReason::SpoolFailed);
  EXPECT_EQ(failures(stats::SpoolFailure::Error), 1U);
  EXPECT_EQ(stats.files, 0U);
}

TEST_F(DiskSpoolTest, OffMeansThatNothingIsTaken) {
  settings.enabled = false;
  EXPECT_EQ(find_spool_folder(settings), "");
  EXPECT_EQ(open().max_size(), 0U);
}

TEST_F(DiskSpoolTest, AFolderIsLookedForOrMustBeThere) {
  settings.path = "auto";
  EXPECT_NE(find_spool_folder(settings), "");
  ::setenv("TMPDIR", folder.c_str(), 1);
  EXPECT_EQ(find_spool_folder(settings), folder);
  ::setenv("TMPDIR", (folder + "/nowhere").c_str(), 1);
  EXPECT_NE(find_spool_folder(settings), "");
  ::unsetenv("TMPDIR");
  settings.path = folder + "/nowhere";
  EXPECT_THROW(find_spool_folder(settings), std::runtime_error);
}

TEST_F(DiskSpoolTest, CheckSaysWhereTheFolderStandsInTheFile) {
  const std::string rest =
      "\nlisteners: [{address: :8080}]\nupstreams: {app: {servers: [127.0.0.1:3000]}}\n";
  config::LoadResult good = config::load_text("spool: {path: " + folder + "}" + rest);
  check_spool_folder(good);
  EXPECT_TRUE(good.ok());
  config::LoadResult bad = config::load_text("spool: {path: " + folder + "/nowhere}" + rest);
  ASSERT_TRUE(bad.ok());
  check_spool_folder(bad);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.errors, 1U);
  EXPECT_EQ(bad.diagnostics.front().line, 1U);
}

}  // namespace
}  // namespace berth::server
