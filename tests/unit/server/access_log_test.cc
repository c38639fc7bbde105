#include "proxy/server/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/server/access_log_example.h"

namespace berth::server {
namespace {

using namespace std::chrono_literals;
using exchange::AccessRecord;
using Json = nlohmann::json;

// Every test here runs the writer thread beside the worker.
class AccessLogThreadedTest : public ::testing::Test {
 protected:
  AccessLogThreadedTest() {
    std::string name = std::filesystem::temp_directory_path() / "berth-log-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~AccessLogThreadedTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  config::AccessLog config(const std::string& name) const {
    config::AccessLog config;
    config.path = path(name);
    return config;
  }

  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> lines(const std::string& name) const {
    std::ifstream file(path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return lines_of(text.str());
  }
  static void log_target(AccessLogWorker& worker, std::string_view target) {
    AccessRecord record = example_record();
    record.target = target;
    worker.log(record);
  }

  std::shared_ptr<stats::WorkerStats> stats_ = std::make_shared<stats::WorkerStats>();
  std::filesystem::path folder_;
};

TEST_F(AccessLogThreadedTest, WritesWhatWasLoggedBeforeItEnds) {
  {
    AccessLog log(config("log"));
    const auto worker = log.worker(stats_);
    log_target(*worker, "/1");
    worker->flush();
    log_target(*worker, "/2");
  }
  const auto written = lines("log");
  ASSERT_EQ(written.size(), 2u);
  EXPECT_EQ(Json::parse(written[0])["target"], "/1");
  EXPECT_EQ(Json::parse(written[1])["target"], "/2");
  EXPECT_EQ(stats_->access_log_dropped.value(), 0u);
}

TEST_F(AccessLogThreadedTest, AppendsToAFileThatExists) {
  std::ofstream(path("log")) << "first\n";
  {
    AccessLog log(config("log"));
    log_target(*log.worker(stats_), "/1");
  }
  ASSERT_EQ(lines("log").size(), 2u);
  EXPECT_EQ(lines("log")[0], "first");
}

TEST_F(AccessLogThreadedTest, MoreThanItsBuffersHold) {
  constexpr size_t kLines = 5'000;  // 2.5 MB
  {
    AccessLog log(config("log"));
    const auto worker = log.worker(stats_);
    for (size_t i = 0; i < kLines; ++i) log_target(*worker, "/" + std::to_string(i));
  }
  const auto written = lines("log");
  EXPECT_EQ(written.size() + stats_->access_log_dropped.value(), kLines)
      << "each line is written or counted";
  EXPECT_GE(written.size(), 2 * AccessLogChannel::kBufferSize / 600);
  int last = -1;
  for (const auto& line : written) {
    const int at = std::stoi(Json::parse(line)["target"].get<std::string>().substr(1));
    EXPECT_GT(at, last);
    last = at;
  }
}

std::vector<int> statuses_of(const std::vector<std::string>& lines) {
  std::vector<int> statuses;
  for (const std::string& line : lines) statuses.push_back(Json::parse(line)["status"]);
  return statuses;
}

TEST_F(AccessLogThreadedTest, MinStatusAndSampleThinItOut) {
  struct Row {
    const char* name;
    uint32_t min_status, sample;
    std::vector<int> left;
  };
  const Row rows[] = {
      {"all", 0, 0, {200, 301, 404, 204, 500, 206, 200}},
      {"all by number", 0, 1, {200, 301, 404, 204, 500, 206, 200}},
      {"sample", 0, 3, {404, 206}},
      {"min_status", 400, 0, {404, 500, 200}},
      {"server errors", 500, 0, {500, 200}},
      {"both", 400, 2, {301, 404, 500, 206, 200}},
      {"min_status without effect", 400, 1, {200, 301, 404, 204, 500, 206, 200}},
  };
  for (const Row& row : rows) {
    config::AccessLog settings = config(row.name);
    settings.min_status = row.min_status;
    settings.sample = row.sample;
    {
      AccessLog log(settings);
      const auto worker = log.worker(stats_);
      for (const uint16_t status : {200, 301, 404, 204, 500, 206}) {
        AccessRecord record = example_record();
        record.status = status;
        worker->log(record);
      }
      AccessRecord broken = example_record();
      broken.reason = CloseReason::ServerReset;
      worker->log(broken);
    }
    SCOPED_TRACE(row.name);
    EXPECT_EQ(statuses_of(lines(row.name)), row.left);
  }
}

TEST_F(AccessLogThreadedTest, OtherRulesHoldFromTheNextLineOn) {
  config::AccessLog settings = config("log");
  {
    AccessLog log(settings);
    const auto worker = log.worker(stats_);
    log_target(*worker, "/1");
    settings.format = config::LogFormat::Template;
    settings.pattern = "{method} {target}";
    log.configure(settings);
    log_target(*worker, "/2");
    settings.min_status = 400;
    log.configure(settings);
    log_target(*worker, "/3");
    settings.min_status = 0;
    settings.pattern = "{target}";
    log.configure(settings);
    log_target(*worker, "/4");
  }
  const auto written = lines("log");
  ASSERT_EQ(written.size(), 3u);
  EXPECT_EQ(Json::parse(written[0])["target"], "/1");
  EXPECT_EQ(written[1], "GET /2");
  EXPECT_EQ(written[2], "/4");
}

TEST_F(AccessLogThreadedTest, ReopenAfterARename) {
  {
    AccessLog log(config("log"));
    const auto worker = log.worker(stats_);
    log_target(*worker, "/old");
    std::filesystem::rename(path("log"), path("log.1"));
    log.reopen();
    ASSERT_TRUE(std::filesystem::exists(path("log")));
    worker->flush();
    log_target(*worker, "/new");
  }
  // What was handed over after reopen() is in the new file, wherever the writer was.
  EXPECT_EQ(lines("log").size(), 2u);
  EXPECT_EQ(lines("log.1").size(), 0u);
}

TEST_F(AccessLogThreadedTest, FailedReopenKeepsTheOldFile) {
  std::filesystem::create_directory(path("sub"));
  {
    AccessLog log(config("sub/log"));
    const auto worker = log.worker(stats_);
    std::filesystem::rename(path("sub"), path("gone"));
    log.reopen();
    log_target(*worker, "/1");
  }
  EXPECT_EQ(lines("gone/log").size(), 1u);
}

TEST_F(AccessLogThreadedTest, ConfigureChangesPathAndFormat) {
  {
    AccessLog log(config("json"));
    const auto worker = log.worker(stats_);
    log_target(*worker, "/1");
    config::AccessLog combined = config("combined");
    combined.format = config::LogFormat::Combined;
    worker->flush();
    log.configure(combined);
    log_target(*worker, "/2");
    config::AccessLog off = combined;
    off.enabled = false;
    log.configure(off);
    log_target(*worker, "/3");
    log.configure(combined);
    log_target(*worker, "/4");
  }
  const auto written = lines("combined");
  ASSERT_GE(written.size(), 2u);
  EXPECT_NE(written[written.size() - 2].find("\"GET /2 "), std::string::npos);
  EXPECT_NE(written[written.size() - 1].find("\"GET /4 "), std::string::npos);
  EXPECT_EQ(written.size() + lines("json").size(), 3u);
}

TEST_F(AccessLogThreadedTest, UnusablePathIsAnErrorThatNamesIt) {
  try {
    AccessLog log(config("absent/log"));
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "access log " + path("absent/log") + ": No such file or directory");
  }
  AccessLog log(config("log"));
  EXPECT_THROW(log.configure(config("absent/log")), std::runtime_error);
  config::AccessLog off = config("absent/log");
  off.enabled = false;
  EXPECT_NO_THROW(AccessLog{off});
}

// --- Readers that stand still or go away ---

// A pipe with a name, and its reader.
class Fifo {
 public:
  explicit Fifo(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    fd_.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  void close() { fd_.reset(); }

  // What was read so far.
  const std::string& text() const { return text_; }
  // Reads up to `size` bytes, as they come. False when the writer has closed.
  bool read_some(size_t size) {
    std::vector<char> buffer(size);
    pollfd wait{fd_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&wait, 1, -1), 1);
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n > 0) text_.append(buffer.data(), static_cast<size_t>(n));
    return n > 0;
  }
  void read_lines(size_t lines) {
    while (static_cast<size_t>(std::count(text_.begin(), text_.end(), '\n')) < lines &&
           read_some(65'536)) {
    }
  }
  void read_all() { read_lines(SIZE_MAX); }
  // Until this much was written, all that was read included.
  void wait_for_total(size_t size) {
    for (int there = 0; text_.size() + static_cast<size_t>(there) < size;
         std::this_thread::yield()) {
      ASSERT_EQ(::ioctl(fd_.get(), FIONREAD, &there), 0);
    }
  }

 private:
  UniqueFd fd_;
  std::string text_;
};

TEST_F(AccessLogThreadedTest, StalledReaderNeverBlocksAWorkerAndNoLineIsTorn) {
  constexpr size_t kLines = 20'000;  // 10 MB, far more than the pipe and the buffers hold
  Fifo fifo(path("fifo"));
  uint64_t dropped = 0;
  {
    AccessLog log(config("fifo"));
    auto worker = log.worker(stats_);
    for (size_t i = 0; i < kLines; ++i) log_target(*worker, "/x");  // returns, though nobody reads
    worker.reset();
    dropped = stats_->access_log_dropped.value();
    EXPECT_GT(dropped, kLines / 2);
    fifo.read_lines(kLines - dropped);
  }
  const auto written = lines_of(fifo.text());
  EXPECT_EQ(written.size() + dropped, kLines);
  for (const auto& line : written) ASSERT_NO_THROW(Json::parse(line)) << line;
}

TEST_F(AccessLogThreadedTest, EndsThoughTheReaderStandsStill) {
  Fifo fifo(path("fifo"));
  AccessLog log(config("fifo"));
  const auto worker = log.worker(stats_);
  for (size_t i = 0; i < 1'000; ++i) log_target(*worker, "/x");
  // The destructor returns: that is the test.
}

// The pipe is given up in favour of the file; what is in the pipe are whole lines, so that others
// may write there too.
TEST_F(AccessLogThreadedTest, ConfigureFreesAWriterThatStandsStill) {
  Fifo fifo(path("fifo"));
  {
    AccessLog log(config("fifo"));
    const auto worker = log.worker(stats_);
    while (stats_->access_log_dropped.value() == 0) log_target(*worker, "/x");  // both buffers wait
    // The pipe is full; a part is read, so that the writer stops in the middle of its next buffer.
    fifo.wait_for_total(48 * 1024);
    fifo.read_some(32 * 1024);
    fifo.wait_for_total(72 * 1024);
    log.configure(config("log"));
    // The writer gives the first buffer back, and then there is room for this.
    for (uint64_t before = 0; before != stats_->access_log_dropped.value();) {
      before = stats_->access_log_dropped.value();
      log_target(*worker, "/after");
    }
  }
  const auto written = lines("log");
  ASSERT_FALSE(written.empty());
  EXPECT_EQ(Json::parse(written.back())["target"], "/after");
  fifo.read_all();
  EXPECT_TRUE(fifo.text().ends_with('\n'));
  for (const auto& line : lines_of(fifo.text())) ASSERT_NO_THROW(Json::parse(line)) << line;
}

TEST_F(AccessLogThreadedTest, LinesThatNobodyTakesAreCounted) {
  Fifo fifo(path("fifo"));
  AccessLog log(config("fifo"));
  const auto worker = log.worker(stats_);
  fifo.close();
  log_target(*worker, "/1");
  log_target(*worker, "/2");
  worker->flush();
  while (stats_->access_log_dropped.value() < 2) worker->flush();
  EXPECT_EQ(stats_->access_log_dropped.value(), 2u);
}

TEST_F(AccessLogThreadedTest, FullDiskDropsAndCounts) {
  config::AccessLog full;
  full.path = "/dev/full";
  AccessLog log(full);
  const auto worker = log.worker(stats_);
  log_target(*worker, "/1");
  while (stats_->access_log_dropped.value() < 1) worker->flush();
}

// --- Threads ---

TEST_F(AccessLogThreadedTest, WorkersShareAFileWhileItIsReopened) {
  constexpr size_t kWorkers = 4;
  constexpr size_t kLines = 2'000;
  std::array<std::shared_ptr<stats::WorkerStats>, kWorkers> counts;
  {
    AccessLog log(config("log"));
    std::vector<std::thread> threads;
    for (size_t w = 0; w < kWorkers; ++w) {
      counts[w] = std::make_shared<stats::WorkerStats>();
      threads.emplace_back([&, w, worker = std::shared_ptr(log.worker(counts[w]))] {
        for (size_t i = 0; i < kLines; ++i) {
          log_target(*worker, "/" + std::to_string(w) + "/" + std::to_string(i));
          if (i % 100 == 0) worker->flush();
        }
      });
    }
    for (int i = 0; i < 5; ++i) {
      std::filesystem::rename(path("log"), path("log." + std::to_string(i)));
      log.reopen();
    }
    for (auto& thread : threads) thread.join();
  }
  std::vector<std::string> written;
  for (const char* name : {"log.0", "log.1", "log.2", "log.3", "log.4", "log"}) {
    const auto more = lines(name);
    written.insert(written.end(), more.begin(), more.end());
  }
  uint64_t dropped = 0;
  for (const auto& one : counts) dropped += one->access_log_dropped.value();
  EXPECT_EQ(written.size() + dropped, kWorkers * kLines);
  std::map<std::string, int> last;  // each worker's lines are in order
  for (const auto& line : written) {
    const std::string target = Json::parse(line)["target"];
    const size_t slash = target.rfind('/');
    const int at = std::stoi(target.substr(slash + 1));
    const auto [seen, first] = last.try_emplace(target.substr(0, slash), at);
    EXPECT_TRUE(first || seen->second < at) << target;
    seen->second = at;
  }
}

config::LoadResult checked(const std::string& path) {
  config::LoadResult loaded = config::load_text(
      "listeners: [{address: ':0'}]\nupstreams: {a: {servers: ['127.0.0.1:1']}}\n"
      "access_log: {path: '" +
      path + "'}\n");
  EXPECT_TRUE(loaded.ok());
  check_access_log(loaded);
  return loaded;
}

TEST(AccessLogCheckTest, SaysWhatCouldNotBeOpenedAndMakesNothing) {
  EXPECT_EQ(checked("-").diagnostics.size(), 0U);
  const std::string fresh = testing::TempDir() + "berth-check-access.log";
  EXPECT_EQ(checked(fresh).diagnostics.size(), 0U);
  EXPECT_NE(::access(fresh.c_str(), F_OK), 0) << "checking makes no file";
  const config::LoadResult wrong = checked("/nonexistent/berth/access.log");
  EXPECT_TRUE(wrong.ok());
  ASSERT_EQ(wrong.diagnostics.size(), 1U);
  EXPECT_EQ(
      to_string(wrong.diagnostics[0], "f"),
      "f:3:20: warning: access log /nonexistent/berth/access.log: No such file or directory (Berth "
      "would not start here; or write access_log: off)");
  EXPECT_EQ(checked("/tmp").diagnostics.size(), 1U) << "a folder";
}

}  // namespace
}  // namespace berth::server
