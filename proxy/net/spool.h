// Files for request bodies that are too long for memory and come too slowly to stream: the disk's,
// or the simulator's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/result.h"

namespace berth::net {

// One body. Nobody else can open it, and nothing of it is left when it is destroyed. Thread: its
// worker's.
class SpoolFile {
 public:
  virtual ~SpoolFile() = default;
  // Writes behind what there is; blocks for as long as the kernel does. None; or why nothing of it
  // was taken: SpoolFull (the disk or the budget), SpoolFailed.
  [[nodiscard]] virtual CloseReason append(std::string_view bytes) = 0;
  // Reads `size` bytes, all of which have been appended, from byte `at` on. False: the disk failed.
  [[nodiscard]] virtual bool read(uint64_t at, char* into, size_t size) = 0;
};

// Thread: any.
class Spool {
 public:
  // A new file; SpoolFull, SpoolFailed or NoLocalResources (no file descriptor).
  virtual Result<std::unique_ptr<SpoolFile>, CloseReason> open() = 0;
  // Bytes that one body may have; 0: there is no folder to write to.
  virtual uint64_t max_size() const = 0;

 protected:
  ~Spool() = default;
};

}  // namespace berth::net
