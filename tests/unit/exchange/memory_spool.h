// Files of a spool in memory, with a disk that may be full or broken.
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "proxy/net/spool.h"

namespace berth::exchange {

class MemorySpool final : public net::Spool {
 public:
  Result<std::unique_ptr<net::SpoolFile>, CloseReason> open() override {
    if (open_fails != CloseReason::None) return Failure{open_fails};
    return std::unique_ptr<net::SpoolFile>(std::make_unique<File>(*this));
  }
  uint64_t max_size() const override { return most; }

  uint64_t most = 1 << 30;
  size_t room = SIZE_MAX;
  bool broken = false;  // what has been written cannot be read
  CloseReason open_fails = CloseReason::None;
  int files = 0;     // now
  size_t bytes = 0;  // now
  size_t largest_write = 0;
  size_t largest_read = 0;

 private:
  class File final : public net::SpoolFile {
   public:
    explicit File(MemorySpool& of) : of_(of) { ++of_.files; }
    ~File() override {
      --of_.files;
      of_.bytes -= content_.size();
    }
    CloseReason append(std::string_view more) override {
      if (of_.bytes + more.size() > of_.room) return CloseReason::SpoolFull;
      of_.largest_write = std::max(of_.largest_write, more.size());
      of_.bytes += more.size();
      content_ += more;
      return CloseReason::None;
    }
    bool read(uint64_t at, char* into, size_t size) override {
      if (of_.broken || at + size > content_.size()) return false;
      of_.largest_read = std::max(of_.largest_read, size);
      std::memcpy(into, content_.data() + at, size);
      return true;
    }

   private:
    MemorySpool& of_;
    std::string content_;
  };
};

}  // namespace berth::exchange
