// The disk of a simulation: memory that may be full, and may fail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/net/spool.h"
#include "tests/sim/world.h"

namespace berth::sim {

struct SpoolManners {
  uint64_t max_size = 1 << 30;  // 0: there is no folder
  uint64_t room = UINT64_MAX;   // bytes of all files
  uint32_t failures = 0;        // permille of what is made, written or read

  bool full() const { return room < UINT64_MAX; }
};

class SimSpool final : public net::Spool {
 public:
  SimSpool(World& world, const SpoolManners& manners) : world_(world), manners_(manners) {}

  Result<std::unique_ptr<net::SpoolFile>, CloseReason> open() override;
  uint64_t max_size() const override { return manners_.max_size; }

  uint64_t files() const { return files_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t ever() const { return ever_; }  // files

 private:
  class File;
  bool fails() { return manners_.failures > 0 && world_.dice().permille(manners_.failures); }

  World& world_;
  const SpoolManners& manners_;
  uint64_t files_ = 0;
  uint64_t bytes_ = 0;
  uint64_t ever_ = 0;
};

}  // namespace berth::sim
