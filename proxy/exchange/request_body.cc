#include "proxy/exchange/request_body.h"

#include <algorithm>
#include <array>

#include "proxy/base/check.h"

namespace berth::exchange {

namespace {

// Used up within one call. Not the worker's scratch, whose bytes may be on their way to a server.
char* block() {
  static thread_local std::array<char, RequestBody::kBlock> bytes;
  return bytes.data();
}

}  // namespace

void RequestBody::keep(std::string_view bytes, net::Scratch& scratch) {
  if (scratch.gives(bytes)) {
    memory_.push(scratch.take(bytes));
  } else {
    memory_.append(bytes);
  }
}

CloseReason RequestBody::move_to_file(net::Spool& spool) {
  auto opened = spool.open();
  if (!opened) return opened.error();
  file_ = std::move(*opened);
  return write_out();
}

CloseReason RequestBody::spool(std::string_view bytes) {
  BERTH_DCHECK(in_file());
  if (memory_.size() + bytes.size() < kBlock) {
    memory_.append(bytes);
    return CloseReason::None;
  }
  if (const CloseReason failed = write_out(); failed != CloseReason::None) return failed;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kBlock);
    if (const CloseReason failed = file_->append(part); failed != CloseReason::None) return failed;
    written_ += part.size();
    bytes.remove_prefix(part.size());
  }
  return CloseReason::None;
}

CloseReason RequestBody::write_out() {
  CloseReason failed = CloseReason::None;
  while (!memory_.empty() && failed == CloseReason::None) {
    size_t size = 0;
    memory_.for_each_part([&](std::string_view part) {
      size = std::min(part.size(), kBlock);
      failed = file_->append(part.substr(0, size));
      return false;
    });
    if (failed != CloseReason::None) break;
    written_ += size;
    memory_.consume(size);
  }
  return failed;
}

std::string_view RequestBody::read() {
  BERTH_DCHECK(unread() > 0);
  if (at_ < written_) {
    const size_t size = std::min<uint64_t>(written_ - at_, kBlock);
    if (!file_->read(at_, block(), size)) return {};
    at_ += size;
    return {block(), size};
  }
  std::string_view next;
  uint64_t skip = at_ - written_;
  memory_.for_each_part([&](std::string_view part) {
    if (skip >= part.size()) {
      skip -= part.size();
      return true;
    }
    next = part.substr(skip, kBlock);
    return false;
  });
  at_ += next.size();
  return next;
}

void RequestBody::clear() {
  memory_.clear();
  file_.reset();
  written_ = at_ = 0;
}

}  // namespace berth::exchange
