// A closed-loop HTTP/1.1 client: N connections, each with one request under way at a time, every
// answer checked for status and length. Prints one line of JSON. See usage() for the options.
//
// The processes named by --watch are measured while no request is under way: before the first and
// after the last of the measured phase, so the CPU time belongs to exactly the requests counted.

#include <getopt.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
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

Options parse(int argc, char** argv) {
  enum : int { Port, Path, Length, Post, Connections, Seconds, Requests, Warmup, Close, Idle, Watch };
  static const option kOptions[] = {
      {"port", 1, nullptr, Port},         {"path", 1, nullptr, Path},
      {"length", 1, nullptr, Length},     {"post", 1, nullptr, Post},
      {"connections", 1, nullptr, Connections},
      {"seconds", 1, nullptr, Seconds},   {"requests", 1, nullptr, Requests},
      {"warmup", 1, nullptr, Warmup},     {"close", 0, nullptr, Close},
      {"idle", 0, nullptr, Idle},         {"watch", 1, nullptr, Watch},
      {nullptr, 0, nullptr, 0}};
  Options options;
  for (int key; (key = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (key) {
      case Port: options.target.port = static_cast<uint16_t>(std::atoi(optarg)); break;
      case Path: options.target.path = optarg; break;
      case Length: options.target.response_length = std::strtoull(optarg, nullptr, 10); break;
      case Post: options.target.post_length = std::strtoull(optarg, nullptr, 10); break;
      case Connections: options.connections = static_cast<uint32_t>(std::atoi(optarg)); break;
      case Seconds: options.measured.seconds = std::atof(optarg); break;
      case Requests: options.measured.requests = std::strtoull(optarg, nullptr, 10); break;
      case Warmup: options.warmup.seconds = std::atof(optarg); break;
      case Close: options.target.close = true; break;
      case Idle: options.idle = true; break;
      case Watch: options.watched = parse_pids(optarg); break;
      default: usage();
    }
  }
  if (options.target.port == 0 || optind != argc) usage();
  return options;
}

// Connections close and logs are written a moment after the last answer: that belongs to the phase.
void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

void print(const Report& report, const Usage& before, const Usage& after) {
  const auto us = [&](double share) {
    return static_cast<double>(report.latency.percentile(share)) / 1e3;
  };
  std::printf("{\"requests\":%lu,\"seconds\":%.6f,\"failures\":%lu,\"first_failure\":\"%s\","
              "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
              "\"cpu_ns\":%lu,\"rss_before\":%lu,\"rss_after\":%lu}\n",
              report.requests, report.seconds, report.failures, report.first_failure.c_str(),
              us(0.5), us(0.99), us(0.999), after.cpu_ns - before.cpu_ns, before.rss_bytes,
              after.rss_bytes);
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
