#include "proxy/net/dial.h"

#include <sys/socket.h>

#include <cerrno>

#include "proxy/net/connect_error.h"
#include "proxy/net/socket_options.h"

namespace berth::net {

Result<UniqueFd, CloseReason> begin_connect(const Address& to,
                                            const config::TcpKeepalive& keepalive) {
  UniqueFd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Failure{reason_for_connect_error(errno)};
  if (to.kind() != AddressKind::Unix) set_tcp_options(fd.get(), keepalive);
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
      errno != EINPROGRESS) {
    return Failure{reason_for_connect_error(errno)};
  }
  return fd;
}

bool has_route(const Address& to) {
  const UniqueFd fd(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  return fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
}

Dial::~Dial() {
  if (!stands_) other_.answers.store(OtherAddress::Answers::Unknown, kRelaxed);
}

Result<UniqueFd, CloseReason> Dial::next(CloseReason failed) {
  if (attempts_ == 1 && failed == CloseReason::None) cut_short_ = true;
  note(failed);
  const uint32_t most = cut_short_ ? 3 : 2;
  while (attempts_ < most) {
    const bool second = attempts_++ == 1;
    to_other_ = (known_ == OtherAddress::Answers::Other) != second;
    auto fd = begin_connect(to_other_ ? other_.address : first_, keepalive_);
    if (fd) return fd;
    note(fd.error());
  }
  return Failure{failure_};
}

// That the machine does not know one of the families says less than what the other address said.
void Dial::note(CloseReason failure) {
  const bool says_little = failure_ == CloseReason::NoLocalResources ||
                           failure_ == CloseReason::ConnectUnreachable ||
                           failure_ == CloseReason::ConnectFailed;
  if (failure_ == CloseReason::None || (says_little && failure != CloseReason::None)) {
    failure_ = failure;
  }
}

void Dial::stands() {
  stands_ = true;
  using enum OtherAddress::Answers;
  other_.answers.store(to_other_ ? Other : First, kRelaxed);
}

}  // namespace berth::net
