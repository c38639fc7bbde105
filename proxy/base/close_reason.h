// CloseReason: why a connection ended or a message was refused. The table is close_reason.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/base/check.h"

namespace berth {

enum class CloseReason : uint8_t {
  None,
#define BERTH_CLOSE_REASON(name, label, ends, cause, severity, status, error, text) name,
#include "proxy/base/close_reason.def"
#undef BERTH_CLOSE_REASON
};

enum class Ends : uint8_t { Nothing, Client, Handshake, Upstream, Connect, Setup, Either };
enum class Cause : uint8_t { Client, Server, Berth };
enum class Severity : uint8_t { Normal, Error };

struct CloseReasonInfo {
  std::string_view label;  // Prometheus label and access-log token
  Ends ends;
  Cause cause;
  Severity severity;
  uint16_t status;         // what the client is answered; 0: nothing
  std::string_view error;  // in the answer's Proxy-Status
  std::string_view text;
};

inline constexpr CloseReasonInfo kCloseReasons[] = {
    {"none", Ends::Nothing, Cause::Berth, Severity::Normal, 0, "", "no reason yet"},
#define BERTH_CLOSE_REASON(name, label, ends, cause, severity, status, error, text) \
  {label, Ends::ends, Cause::cause, Severity::severity, status, error, text},
#include "proxy/base/close_reason.def"
#undef BERTH_CLOSE_REASON
};

inline constexpr size_t kCloseReasonCount = sizeof(kCloseReasons) / sizeof(kCloseReasons[0]);

constexpr const CloseReasonInfo& info(CloseReason reason) {
  return kCloseReasons[static_cast<size_t>(reason)];
}

// What a reason does; one can be of several kinds.
enum class ReasonKind : uint8_t {
  Refusal,           // the request is answered with its status
  ClientClose,       // a client's connection ends
  HandshakeFailure,  // before it carried a request
  UpstreamClose,     // a server's connection ends
  ConnectFailure,    // before it could carry a request
};

constexpr bool is(CloseReason reason, ReasonKind kind) {
  const Ends ends = info(reason).ends;
  const bool handshake = ends == Ends::Handshake || ends == Ends::Setup;
  const bool connect = ends == Ends::Connect || ends == Ends::Setup;
  switch (kind) {
    case ReasonKind::Refusal:
      return info(reason).status != 0;
    case ReasonKind::ClientClose:
      return handshake || ends == Ends::Client || ends == Ends::Either;
    case ReasonKind::HandshakeFailure:
      return handshake;
    case ReasonKind::UpstreamClose:
      return connect || ends == Ends::Upstream || ends == Ends::Either;
    case ReasonKind::ConnectFailure:
      return connect;
  }
  return false;
}

// A reason of one kind, or, as a plain CloseReason, of any. The compiler refuses a constant of
// another kind, and a value that has to pass through of().
template <ReasonKind kKind>
class ReasonOf {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor)
  consteval ReasonOf(CloseReason reason) : reason_(reason) {
    if (!is(reason, kKind)) throw "the table says that this reason is of another kind";
  }
  // REQUIRES: is(reason, kKind), which only debug builds check.
  static constexpr ReasonOf of(CloseReason reason) {
    BERTH_DCHECK(is(reason, kKind));
    return ReasonOf(reason, Checked{});
  }
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr operator CloseReason() const { return reason_; }

 private:
  struct Checked {};
  constexpr ReasonOf(CloseReason reason, Checked) : reason_(reason) {}
  CloseReason reason_;
};

using Refusal = ReasonOf<ReasonKind::Refusal>;
using ClientClose = ReasonOf<ReasonKind::ClientClose>;
using HandshakeFailure = ReasonOf<ReasonKind::HandshakeFailure>;
using UpstreamClose = ReasonOf<ReasonKind::UpstreamClose>;
using ConnectFailure = ReasonOf<ReasonKind::ConnectFailure>;

}  // namespace berth
