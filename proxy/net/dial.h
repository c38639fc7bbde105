// Connecting to a server, which may have an address of each IP family.
#pragma once

#include <atomic>
#include <cstdint>

#include "proxy/base/close_reason.h"
#include "proxy/base/result.h"
#include "proxy/base/time.h"
#include "proxy/base/unique_fd.h"
#include "proxy/config/config.h"
#include "proxy/net/address.h"

namespace berth::net {

// The address that a server has of the other IP family. Shared by all who connect to it. Thread:
// any.
struct OtherAddress {
  enum class Answers : uint8_t { Unknown, First, Other };  // the address that did last

  explicit OtherAddress(const Address& at) : address(at) {}
  const Address address;
  std::atomic<Answers> answers{Answers::Unknown};
};

// A socket that has begun to connect, or why the kernel would not.
Result<UniqueFd, CloseReason> begin_connect(const Address& to,
                                            const config::TcpKeepalive& keepalive);

// Whether the kernel knows a way there. Sends nothing.
bool has_route(const Address& to);

// One connection to a server with two addresses: the one that answered last is tried first, the
// other one if that fails (RFC 8305, one socket at a time: the server's bound counts them). While
// it is not known which one answers, the first has kPatience. Thread: the worker's.
class Dial {
 public:
  // RFC 8305 section 5: the recommended delay.
  static constexpr Duration kPatience = std::chrono::milliseconds(250);

  // The addresses outlive it.
  Dial(const Address& first, OtherAddress& other, const config::TcpKeepalive& keepalive)
      : first_(first), other_(other), keepalive_(keepalive), known_(other.answers.load(kRelaxed)) {}
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;
  // Which one answers is unknown again, unless one did.
  ~Dial();

  // Begins to connect to the next address. `failed`: why the one before did not come about, None
  // for the first, and for one that took too long. A failure when none is left: the reason that
  // says most.
  Result<UniqueFd, CloseReason> next(CloseReason failed);
  // The connection is to be given up if nothing comes of it within kPatience.
  bool impatient() const { return known_ == OtherAddress::Answers::Unknown && attempts_ == 1; }
  void stands();

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  void note(CloseReason failure);

  const Address& first_;
  OtherAddress& other_;
  const config::TcpKeepalive keepalive_;
  const OtherAddress::Answers known_;
  uint32_t attempts_ = 0;
  bool to_other_ = false;   // the attempt that is under way
  bool cut_short_ = false;  // the first attempt: it may be made once more
  bool stands_ = false;
  CloseReason failure_ = CloseReason::None;
};

}  // namespace berth::net
