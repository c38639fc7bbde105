// A closed-loop HTTP/1.1 client: N connections, each with one request under way at a time, every
// answer checked for status and length. Prints one line of JSON. See usage() for the options.
//
// The processes named by --watch are measured while no request is under way: before the first and
// after the last of the measured phase, so the CPU time belongs to exactly the requests counted.

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "tests/bench/load_driver.h"
#include "tests/bench/usage.h"

namespace berth::bench {
namespace {

struct Options {
  Target target;
  Limits measured;
  Limits warmup;
  uint32_t connections = 64;
  bool idle = false;
  std::vector<pid_t> watched;
};

[[noreturn]] void usage() {
  std::fputs(
      "load --port PORT [options]\n"
      "  --path PATH          default /small\n"
      "  --length N           expected length of each response body, default 200\n"
      "  --post N             POST with a body of N bytes instead of GET\n"
      "  --connections N      default 64\n"
      "  --seconds S | --requests N   length of the measured phase\n"
      "  --warmup S           seconds before it, on the same connections\n"
      "  --close              one connection per request\n"
      "  --idle               one request on each connection, then hold them all idle\n"
      "  --watch PID,PID      report CPU time and resident memory of these processes\n",
      stderr);
  std::exit(2);
}

std::vector<pid_t> parse_pids(const char* list) {
  std::vector<pid_t> pids;
  std::istringstream stream(list);
  for (std::string pid; std::getline(stream, pid, ',');) pids.push_back(std::stoi(pid));
  return pids;
}

struct Setting {
  std::string_view name;
  bool has_value;
  void (*apply)(Options& options, const char* value);
};

uint64_t number(const char* text) {
  return std::strtoull(text, nullptr, 10);
}

constexpr Setting kSettings[] = {
    {"--port", true, [](Options& o, const char* v) { o.target.port = number(v); }},
    {"--path", true, [](Options& o, const char* v) { o.target.path = v; }},
    {"--length", true, [](Options& o, const char* v) { o.target.response_length = number(v); }},
    {"--post", true, [](Options& o, const char* v) { o.target.post_length = number(v); }},
    {"--connections", true, [](Options& o, const char* v) { o.connections = number(v); }},
    {"--seconds", true, [](Options& o, const char* v) { o.measured.seconds = std::atof(v); }},
    {"--requests", true, [](Options& o, const char* v) { o.measured.requests = number(v); }},
    {"--warmup", true, [](Options& o, const char* v) { o.warmup.seconds = std::atof(v); }},
    {"--close", false, [](Options& o, const char*) { o.target.close = true; }},
    {"--idle", false, [](Options& o, const char*) { o.idle = true; }},
    {"--watch", true, [](Options& o, const char* v) { o.watched = parse_pids(v); }},
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const auto* setting = std::ranges::find(kSettings, argv[i], &Setting::name);
    if (setting == std::end(kSettings)) usage();
    if (setting->has_value && ++i == argc) usage();
    setting->apply(options, argv[i]);
  }
  if (options.target.port == 0 || options.connections == 0) usage();
  return options;
}

// Connections close and logs are written a moment after the last answer: that belongs to the phase.
void settle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void print(const Report& report, const Usage& before, const Usage& after) {
  const auto us = [&](double share) {
    return static_cast<double>(report.latency.percentile(share)) / 1e3;
  };
  std::printf(
      "{\"requests\":%lu,\"seconds\":%.6f,\"failures\":%lu,\"first_failure\":\"%s\","
      "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
      "\"cpu_ns\":%lu,\"rss_before\":%lu,\"rss_after\":%lu}\n",
      report.requests, report.seconds, report.failures, report.first_failure.c_str(), us(0.5),
      us(0.99), us(0.999), after.cpu_ns - before.cpu_ns, before.rss_bytes, after.rss_bytes);
}

int run(const Options& options) {
  LoadDriver driver(options.target, options.connections);
  if (options.idle) {
    const Usage before = usage_of(options.watched);
    const Report report = driver.open_idle();
    settle();
    print(report, before, usage_of(options.watched));
    return 0;
  }
  if (options.warmup.seconds > 0) {
    driver.run(options.warmup);
    settle();
  }
  const Usage before = usage_of(options.watched);
  const Report report = driver.run(options.measured);
  settle();
  print(report, before, usage_of(options.watched));
  return 0;
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  return berth::bench::run(berth::bench::parse(argc, argv));
}
