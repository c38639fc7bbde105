// The part of a request's body that has arrived and is still needed: first in memory, then in a
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/net/spool.h"

namespace berth::exchange {

// A queue that keeps what has been read, so that it can be read once more: bytes [0, written_) are
// in the file, the rest is in memory. Thread: its worker's.
class RequestBody {
 public:
  // What is in memory is charged to `account`; nullptr: to nobody.
  explicit RequestBody(net::MemoryAccount* account = nullptr) : memory_(account) {}

  // What is written or read at once, at most: a bound on how long the disk may stop a worker.
  static constexpr size_t kBlock = 64 * 1024;

  uint64_t size() const { return written_ + memory_.size(); }
  bool empty() const { return size() == 0; }
  bool in_file() const { return file_ != nullptr; }
  // Bytes in memory.
  size_t buffered() const { return memory_.size(); }

  // --- In memory alone.

  // Keeps `bytes`, by taking the scratch's block over if they fill much of it.
  void keep(std::string_view bytes, net::Scratch& scratch);
  template <class F>
  void for_each_part(F&& visit) const {
    memory_.for_each_part(visit);
  }

  // --- In a file.

  // Moves what is in memory to a new file. None, or why not: then the body is of no use any more.
  [[nodiscard]] CloseReason move_to_file(net::Spool& spool);
  // More, to the file. None, or why not, as above.
  [[nodiscard]] CloseReason spool(std::string_view bytes);

  // Bytes that have not been read.
  uint64_t unread() const { return size() - at_; }
  void rewind() { at_ = 0; }
  // The next bytes, up to a block; valid until any other call. Empty: the disk failed. REQUIRES:
  // unread() > 0.
  std::string_view read();

  void clear();

 private:
  [[nodiscard]] CloseReason write_out();

  net::Chain memory_;
  std::unique_ptr<net::SpoolFile> file_;
  uint64_t written_ = 0;  // to the file
  uint64_t at_ = 0;       // where reading is
};

}  // namespace berth::exchange
