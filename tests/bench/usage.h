// What a set of processes has used: CPU time and resident memory, read from /proc.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace berth::bench {

struct Usage {
  uint64_t cpu_ns = 0;  // user and system, all threads that are alive
  uint64_t rss_bytes = 0;
};

// The time that the scheduler charged, in nanoseconds: exact for a thread that sleeps at the
// moment, up to one tick behind for one that runs. So read it while the processes are quiet.
inline uint64_t cpu_ns_of(pid_t pid) {
  uint64_t total = 0;
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::ifstream file(task.path() / "schedstat");
    uint64_t on_cpu_ns = 0;
    if (file >> on_cpu_ns) total += on_cpu_ns;
  }
  return total;
}

// From smaps_rollup, which counts pages; statm is a per-CPU estimate that is off by up to 256 KiB.
inline uint64_t rss_bytes_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  while (file >> word) {
    uint64_t kib = 0;
    if (word == "Rss:" && file >> kib) return kib * 1024;
  }
  return 0;
}

inline Usage usage_of(const std::vector<pid_t>& pids) {
  Usage usage;
  for (pid_t pid : pids) {
    usage.cpu_ns += cpu_ns_of(pid);
    usage.rss_bytes += rss_bytes_of(pid);
  }
  return usage;
}

}  // namespace berth::bench
