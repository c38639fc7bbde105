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

#include "proxy/server/access_log_format.h"
#include "proxy/server/access_log_text.h"

namespace berth::server {
namespace {

using namespace std::chrono_literals;
using exchange::AccessRecord;
using Json = nlohmann::json;

AccessRecord example() {
  AccessRecord record;
  record.time_us = 1'790'000'000'001'234;
  record.listener = "0.0.0.0:8080";
  record.client = "192.0.2.7:51234";
  record.method = "GET";
  record.host = "example.com";
  record.target = "/a/b?c=d";
  record.protocol = "HTTP/1.1";
  record.status = 200;
  record.received_bytes = 321;
  record.sent_bytes = 65'700;
  record.body_bytes = 65'536;
  record.duration = 1'234'567ns;
  record.upstream = "app";
  record.server = "127.0.0.1:3000";
  record.attempts = 2;
  record.queue_wait = 2s;
  record.connect_time = 250us;
  record.header_time = 1ms;
  record.source = stats::AcquireSource::Queue;
  record.reused = true;
  record.user_agent = "curl/8";
  record.referer = "https://example.com/";
  record.request_id = "0123abcd";
  return record;
}

std::string json_line(const AccessRecord& record) {
  std::string out(kMaxAccessLine, '\0');
  AccessTime time;
  out.resize(write_json_line(out.data(), record, time));
  return out;
}

std::string combined_line(const AccessRecord& record) {
  std::string out(kMaxAccessLine, '\0');
  AccessTime time;
  out.resize(write_combined_line(out.data(), record, time));
  return out;
}

// --- JSON ---

TEST(AccessLogFormatTest, JsonLineWhole) {
  EXPECT_EQ(json_line(example()),
            "{\"time\":\"2026-09-21T14:13:20.001234Z\",\"listener\":\"0.0.0.0:8080\",\"client\":"
            "\"192.0.2.7:51234\","
            "\"method\":\"GET\",\"host\":\"example.com\",\"target\":\"/a/"
            "b?c=d\",\"protocol\":\"HTTP/1.1\","
            "\"status\":200,\"received_bytes\":321,\"sent_bytes\":65700,\"body_bytes\":65536,"
            "\"duration\":0.001234,"
            "\"upstream\":\"app\",\"server\":\"127.0.0.1:3000\",\"attempts\":2,\"source\":"
            "\"queue\",\"reused\":true,"
            "\"queue_wait\":2.000000,\"connect_time\":0.000250,\"header_time\":0.001000,"
            "\"user_agent\":\"curl/8\",\"referer\":\"https://example.com/"
            "\",\"request_id\":\"0123abcd\"}\n");
}

TEST(AccessLogFormatTest, JsonLeavesOutWhatDoesNotApply) {
  AccessRecord record;
  record.status = 400;
  record.reason = CloseReason::BadHost;
  const Json line = Json::parse(json_line(record));
  EXPECT_EQ(line["reason"], "bad_host");
  EXPECT_EQ(line["time"], "1970-01-01T00:00:00.000000Z");
  for (const char* absent :
       {"upstream", "server", "attempts", "source", "reused", "queue_wait", "connect_time",
        "header_time", "user_agent", "referer", "request_id"}) {
    EXPECT_FALSE(line.contains(absent)) << absent;
  }
  EXPECT_FALSE(Json::parse(json_line(example())).contains("reason"));
}

std::string json_text(std::string_view text) {
  std::string out(text.size() * 6 + 1, '\0');
  out.resize(static_cast<size_t>(put_json_text(out.data(), text) - out.data()));
  return out;
}

// Every byte, at every place of texts of every length around the sizes that are copied at once.
TEST(AccessLogFormatTest, EveryByteAtEveryPlaceComesBack) {
  for (size_t size = 1; size <= 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 0x80; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        const std::string escaped = json_text(text);
        ASSERT_EQ(Json::parse('"' + escaped + '"').get<std::string>(), text)
            << size << " " << at << " " << byte;
        const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
        ASSERT_TRUE(!plain || escaped == text);
      }
    }
  }
}

TEST(AccessLogFormatTest, TextIsNotWrittenBeyondItsEnd) {
  for (size_t size = 0; size <= 40; ++size) {
    std::string out(64, '!');
    put_json_text(out.data(), std::string(size, 'x'));
    EXPECT_EQ(out, std::string(size, 'x') + std::string(64 - size, '!'));
  }
}

TEST(AccessLogFormatTest, ControlBytesHaveTheirShortForms) {
  EXPECT_EQ(json_text("\b\f\n\r\t\x01\x1f\x7f"), "\\b\\f\\n\\r\\t\\u0001\\u001f\x7f");
  EXPECT_EQ(json_text("a\"b\\c"), "a\\\"b\\\\c");
}

TEST(AccessLogFormatTest, ValidUtf8StaysAndInvalidBytesAreReplaced) {
  const std::string bad = "\\ufffd";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"\xe2\x82\xac", "\xe2\x82\xac"},
      {"\xf0\x9f\x9a\xa2", "\xf0\x9f\x9a\xa2"},
      {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},  // U+10FFFF
      {"\xed\x9f\xbf", "\xed\x9f\xbf"},          // the last before the surrogates
      {"\xff", bad},
      {"a\x80z", "a" + bad + "z"},  // a continuation alone
      {"\xc3", bad},                // cut off
      {"\xe2\x82", bad + bad},
      {"\xe2\x82z", bad + bad + "z"},
      {"\xc0\xaf", bad + bad},  // overlong
      {"\xe0\x9f\xbf", bad + bad + bad},
      {"\xf0\x8f\xbf\xbf", bad + bad + bad + bad},
      {"\xed\xa0\x80", bad + bad + bad},            // a surrogate
      {"\xf4\x90\x80\x80", bad + bad + bad + bad},  // beyond U+10FFFF
      {"\xf5\x80\x80\x80", bad + bad + bad + bad},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(json_text(text), expected);
    EXPECT_NO_THROW(Json::parse('"' + json_text(text + "\n") + '"'));
  }
}

TEST(AccessLogFormatTest, LongTextsAreCutAndNothingGrowsBeyondTheBound) {
  const std::string worst(100'000, '\x01');
  AccessRecord record = example();
  for (auto text : {&AccessRecord::listener, &AccessRecord::client, &AccessRecord::method,
                    &AccessRecord::host, &AccessRecord::target, &AccessRecord::protocol,
                    &AccessRecord::upstream, &AccessRecord::server, &AccessRecord::user_agent,
                    &AccessRecord::referer, &AccessRecord::request_id}) {
    record.*text = worst;
  }
  record.time_us = INT64_MAX / 2;
  record.duration =
      *(record.queue_wait = record.connect_time = record.header_time = Duration::max());
  record.received_bytes = record.sent_bytes = UINT64_MAX;
  record.attempts = UINT32_MAX;
  record.reason = CloseReason::BadTransferEncoding;
  EXPECT_EQ(access_line_bound(record), kMaxAccessLine);
  const std::string line = json_line(record);
  EXPECT_LE(line.size(), kMaxAccessLine);
  EXPECT_TRUE(Json::parse(line)["target"].get<std::string>().ends_with("..."));
  EXPECT_LE(combined_line(record).size(), kMaxAccessLine);
}

TEST(AccessLogFormatTest, BoundHoldsForShortTexts) {
  const std::string worst(9, '\x01');
  AccessRecord record = example();
  record.target = record.host = record.user_agent = record.referer = record.request_id = worst;
  EXPECT_LE(json_line(record).size(), access_line_bound(record));
  EXPECT_LE(access_line_bound(record), 2048u);
}

TEST(AccessLogFormatTest, TimeIsRenderedAnewWhenTheSecondChanges) {
  AccessTime time;
  EXPECT_EQ(time.iso(0), "1970-01-01T00:00:00");
  EXPECT_EQ(time.iso(86'399), "1970-01-01T23:59:59");
  EXPECT_EQ(time.iso(0), "1970-01-01T00:00:00");
  EXPECT_EQ(time.clf(1'790'000'000), "21/Sep/2026:14:13:20 +0000");
}

// --- Combined ---

TEST(AccessLogFormatTest, CombinedLineWhole) {
  EXPECT_EQ(combined_line(example()),
            "192.0.2.7 - - [21/Sep/2026:14:13:20 +0000] \"GET /a/b?c=d HTTP/1.1\" 200 65536 "
            "\"https://example.com/\" \"curl/8\"\n");
}

TEST(AccessLogFormatTest, CombinedShowsDashesForWhatIsAbsent) {
  EXPECT_EQ(combined_line(AccessRecord{}),
            "- - - [01/Jan/1970:00:00:00 +0000] \"- - -\" 0 0 \"-\" \"-\"\n");
}

TEST(AccessLogFormatTest, CombinedEscapesAsNginxDoes) {
  AccessRecord record = example();
  record.client = "[2001:db8::1]:80";
  record.user_agent = "a\"b\\c\nd\x7f\xc3\xbc";
  const std::string line = combined_line(record);
  EXPECT_TRUE(line.starts_with("2001:db8::1 - - ")) << line;
  EXPECT_TRUE(line.ends_with("\"a\\x22b\\x5Cc\\x0Ad\\x7F\\xC3\\xBC\"\n")) << line;
  record.client = "unix:";
  EXPECT_TRUE(combined_line(record).starts_with("unix: - - "));
}

TEST(AccessLogFormatTest, BehindAProxyTheClientIsNamedAndTheProxyToo) {
  AccessRecord record = example();
  EXPECT_FALSE(Json::parse(json_line(record)).contains("peer"));
  record.peer = record.client;
  for (const char* client : {"9.9.9.9", "2001:db8::1", "::"}) {
    record.client = client;
    const Json line = Json::parse(json_line(record));
    EXPECT_EQ(line["client"], client);
    EXPECT_EQ(line["peer"], "192.0.2.7:51234");
    EXPECT_TRUE(combined_line(record).starts_with(std::string(client) + " - - ["));
  }
}

// --- Files ---

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
    return {.enabled = true, .path = path(name)};
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
    AccessRecord record = example();
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
  AccessLog log({.enabled = true, .path = "/dev/full"});
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
