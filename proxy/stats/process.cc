#include "proxy/stats/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace berth::stats {
namespace {

// The fields of /proc/self/stat that are used, in its order; its field numbers are proc(5)'s.
struct StatFields {
  uint64_t user_ticks = 0;      // 14
  uint64_t system_ticks = 0;    // 15
  uint64_t start_ticks = 0;     // 22, since boot
  uint64_t virtual_bytes = 0;   // 23
  uint64_t resident_pages = 0;  // 24
};

std::optional<StatFields> read_stat(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field is the program's name in parentheses, and may hold anything.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  StatFields fields;
  std::string skipped;
  for (int field = 3; field <= 24; ++field) {
    switch (field) {
      case 14:
        rest >> fields.user_ticks;
        break;
      case 15:
        rest >> fields.system_ticks;
        break;
      case 22:
        rest >> fields.start_ticks;
        break;
      case 23:
        rest >> fields.virtual_bytes;
        break;
      case 24:
        rest >> fields.resident_pages;
        break;
      default:
        rest >> skipped;
        break;
    }
  }
  if (!rest) return std::nullopt;
  return fields;
}

// The number after `name` at the start of a line of a file of /proc.
std::optional<uint64_t> number_after(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(name)) continue;
    std::istringstream rest(line.substr(name.size()));
    uint64_t value = 0;
    if (rest >> value) return value;
  }
  return std::nullopt;
}

uint64_t count_open_fds(const std::string& path) {
  // Linux 6.2 and later: the size of the directory is their number, and there is no need to list
  // thousands.
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && info.st_size > 0)
    return static_cast<uint64_t>(info.st_size);
  std::error_code error;
  const std::filesystem::directory_iterator first(path, error);
  if (error) return 0;
  const auto count = std::distance(begin(first), end(first));
  return count > 0 ? static_cast<uint64_t>(count) - 1
                   : 0;  // less the one that was open for listing
}

}  // namespace

std::optional<ProcessFacts> ProcfsSource::read() const {
  const auto stat = read_stat(root_ + "/self/stat");
  const auto boot_time = number_after(root_ + "/stat", "btime ");
  const auto max_fds = number_after(root_ + "/self/limits", "Max open files");
  if (!stat || !boot_time) return std::nullopt;

  const double ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  ProcessFacts facts;
  facts.cpu_seconds = static_cast<double>(stat->user_ticks + stat->system_ticks) / ticks_per_second;
  facts.start_time_seconds =
      static_cast<double>(*boot_time) + static_cast<double>(stat->start_ticks) / ticks_per_second;
  facts.resident_bytes = stat->resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  facts.virtual_bytes = stat->virtual_bytes;
  facts.open_fds = count_open_fds(root_ + "/self/fd");
  facts.max_fds = max_fds.value_or(0);
  return facts;
}

}  // namespace berth::stats
