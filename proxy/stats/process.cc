#include "proxy/stats/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>

namespace berth::stats {
namespace {

// /proc/self/stat, indexed as proc(5) numbers its fields; those before the third are left out.
using StatFields = std::array<uint64_t, 25>;
constexpr size_t kUserTicks = 14;
constexpr size_t kSystemTicks = 15;
constexpr size_t kStartTicks = 22;  // since boot
constexpr size_t kVirtualBytes = 23;
constexpr size_t kResidentPages = 24;

std::optional<StatFields> read_stat(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field is the program's name in parentheses, and may hold anything.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  StatFields fields{};
  std::string text;
  for (size_t field = 3; field < fields.size(); ++field) {
    if (!(rest >> text)) return std::nullopt;
    // The state is a letter and some fields are negative: they stay 0.
    std::from_chars(text.data(), text.data() + text.size(), fields[field]);
  }
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
  const StatFields& field = *stat;
  facts.cpu_seconds =
      static_cast<double>(field[kUserTicks] + field[kSystemTicks]) / ticks_per_second;
  facts.start_time_seconds =
      static_cast<double>(*boot_time) + static_cast<double>(field[kStartTicks]) / ticks_per_second;
  facts.resident_bytes = field[kResidentPages] * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  facts.virtual_bytes = field[kVirtualBytes];
  facts.open_fds = count_open_fds(root_ + "/self/fd");
  facts.max_fds = max_fds.value_or(0);
  return facts;
}

}  // namespace berth::stats
