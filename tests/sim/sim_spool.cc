#include "tests/sim/sim_spool.h"

#include <cstring>

namespace berth::sim {

class SimSpool::File final : public net::SpoolFile {
 public:
  explicit File(SimSpool& spool) : spool_(spool) {
    ++spool_.files_;
    ++spool_.ever_;
  }
  ~File() override {
    --spool_.files_;
    spool_.bytes_ -= bytes_.size();
  }

  CloseReason append(std::string_view bytes) override {
    if (spool_.fails()) return CloseReason::SpoolFailed;
    if (spool_.bytes_ + bytes.size() > spool_.manners_.room) return CloseReason::SpoolFull;
    spool_.bytes_ += bytes.size();
    bytes_ += bytes;
    return CloseReason::None;
  }

  bool read(uint64_t at, char* into, size_t size) override {
    if (spool_.fails()) return false;
    if (at + size > bytes_.size()) {
      spool_.world_.fail("a file of %zu bytes is read up to %llu", bytes_.size(),
                         static_cast<unsigned long long>(at + size));
      return false;
    }
    std::memcpy(into, bytes_.data() + at, size);
    return true;
  }

 private:
  SimSpool& spool_;
  std::string bytes_;
};

Result<std::unique_ptr<net::SpoolFile>, CloseReason> SimSpool::open() {
  if (fails()) return Failure{CloseReason::SpoolFailed};
  return std::unique_ptr<net::SpoolFile>(std::make_unique<File>(*this));
}

}  // namespace berth::sim
