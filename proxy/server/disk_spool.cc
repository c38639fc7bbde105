#include "proxy/server/disk_spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/config/units.h"
#include "proxy/config/validate.h"

namespace berth::server {

namespace {

constexpr Duration kQuiet = std::chrono::seconds(10);

// Invalid, with errno, where that is impossible. Some file systems know no files without a name.
UniqueFd make_file(const std::string& folder) {
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return file;
  std::string name = folder + "/berth-XXXXXX";
  file.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (file) ::unlink(name.c_str());
  return file;
}

std::string why(int error) {
  return std::system_category().message(error);
}

}  // namespace

std::string find_spool_folder(const config::Spool& settings) {
  if (!settings.enabled) return {};
  if (settings.path != config::Spool::kAutoPath) {
    if (make_file(settings.path)) return settings.path;
    throw std::runtime_error("spool: no file can be made in " + settings.path + ": " + why(errno));
  }
  std::vector<std::string> folders = {"/var/tmp", "/tmp"};
  const char* given = std::getenv("TMPDIR");
  if (given != nullptr && given[0] == '/') folders.insert(folders.begin(), given);
  for (const std::string& folder : folders) {
    if (make_file(folder)) return folder;
  }
  return {};
}

void check_spool_folder(config::LoadResult& loaded) {
  if (!loaded.ok()) return;
  const config::Mark at = config::place_of(loaded.places, "spool.path");
  const config::Spool& settings = loaded.config->spool;
  try {
    if (find_spool_folder(settings).empty() && settings.enabled) {
      loaded.diagnostics.push_back({config::Level::Warning, at.line, at.column,
                                    "spool: no file can be made in $TMPDIR, /var/tmp or /tmp",
                                    "slow uploads hold connections: set spool.path, or write "
                                    "spool: off"});
    }
  } catch (const std::runtime_error& error) {
    loaded.diagnostics.push_back(
        {config::Level::Error, at.line, at.column, error.what(), "or write spool: off"});
    ++loaded.errors;
    loaded.config.reset();
  }
}

// --- A file.

class DiskSpool::File final : public net::SpoolFile {
 public:
  File(DiskSpool& spool, UniqueFd fd) : spool_(spool), fd_(std::move(fd)) {
    spool_.stats_.files.fetch_add(1, std::memory_order_relaxed);
  }
  ~File() override {
    fd_.reset();  // the disk has its blocks back before others may count on them
    spool_.give_back(size_);
    spool_.stats_.files.fetch_sub(1, std::memory_order_relaxed);
  }

  CloseReason append(std::string_view bytes) override {
    if (!spool_.take(bytes.size())) return CloseReason::SpoolFull;
    const uint64_t from = size_;
    size_ += bytes.size();
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t wrote = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(from + done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return spool_.failed("written", wrote == 0 ? ENOSPC : errno);
      done += static_cast<size_t>(wrote);
    }
    spool_.stats_.written_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    return CloseReason::None;
  }

  bool read(uint64_t at, char* into, size_t size) override {
    while (size > 0) {
      const ssize_t got = ::pread(fd_.get(), into, size, static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        static_cast<void>(spool_.failed("read", got == 0 ? EIO : errno));
        return false;
      }
      at += static_cast<uint64_t>(got);
      into += got;
      size -= static_cast<size_t>(got);
    }
    return true;
  }

 private:
  DiskSpool& spool_;
  UniqueFd fd_;
  uint64_t size_ = 0;  // counted in the budget
};

// --- All files.

void DiskSpool::configure(const config::Spool& settings, std::string folder) {
  budget_.store(settings.budget, std::memory_order_relaxed);
  max_size_.store(folder.empty() ? 0 : settings.max_size, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  folder_ = std::move(folder);
}

Result<std::unique_ptr<net::SpoolFile>, CloseReason> DiskSpool::open() {
  std::string folder;
  {
    const std::lock_guard lock(mutex_);
    folder = folder_;
  }
  UniqueFd fd = make_file(folder);
  if (!fd) return Failure{failed("made", errno)};
  return std::unique_ptr<net::SpoolFile>(std::make_unique<File>(*this, std::move(fd)));
}

bool DiskSpool::take(uint64_t bytes) {
  const uint64_t budget = budget_.load(std::memory_order_relaxed);
  const uint64_t before = stats_.bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (before + bytes <= budget) return true;
  stats_.bytes.fetch_sub(bytes, std::memory_order_relaxed);
  stats_.failures[stats::SpoolFailure::Budget].fetch_add(1);
  complain("an upload was refused: the files hold " + config::format_size(before) +
           ", and spool.budget is " + config::format_size(budget));
  return false;
}

void DiskSpool::give_back(uint64_t bytes) {
  stats_.bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

CloseReason DiskSpool::failed(std::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  const auto kind = full ? stats::SpoolFailure::DiskFull : stats::SpoolFailure::Error;
  stats_.failures[kind].fetch_add(1);
  complain("an upload was refused: its file could not be " + std::string(what) + ": " + why(error));
  if (full) return CloseReason::SpoolFull;
  return error == EMFILE || error == ENFILE ? CloseReason::NoLocalResources
                                            : CloseReason::SpoolFailed;
}

void DiskSpool::complain(std::string line) {
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  int64_t until = quiet_until_.load(std::memory_order_relaxed);
  if (now < until) return;
  if (!quiet_until_.compare_exchange_strong(until, now + kQuiet.count())) return;
  complain_(std::move(line));
}

}  // namespace berth::server
