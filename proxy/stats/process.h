// What the kernel knows about this process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace berth::stats {

struct ProcessFacts {
  double cpu_seconds = 0;         // user and system
  double start_time_seconds = 0;  // since 1970
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};

class ProcessSource {
 public:
  virtual ~ProcessSource() = default;
  // Empty if the system does not tell.
  virtual std::optional<ProcessFacts> read() const = 0;
};

// Linux: proc(5).
class ProcfsSource final : public ProcessSource {
 public:
  explicit ProcfsSource(std::string root = "/proc") : root_(std::move(root)) {}
  std::optional<ProcessFacts> read() const override;

 private:
  std::string root_;
};

}  // namespace berth::stats
