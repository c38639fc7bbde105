// The field names that Berth itself acts upon; all others are carried as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::http {

enum class HeaderId : uint8_t {
  Other,
  Accept,
  AcceptEncoding,
  Authorization,
  CacheControl,
  Connection,
  ContentLength,
  ContentType,
  Cookie,
  Date,
  Expect,
  Forwarded,
  Host,
  IdempotencyKey,
  KeepAlive,
  ProxyAuthenticate,
  ProxyAuthorization,
  ProxyConnection,
  Referer,
  RetryAfter,
  Server,
  SetCookie,
  Te,
  Trailer,
  TransferEncoding,
  Upgrade,
  UserAgent,
  Via,
  XForwardedFor,
  XForwardedHost,
  XForwardedProto,
  XRequestId,
};

inline constexpr size_t kHeaderIdCount = static_cast<size_t>(HeaderId::XRequestId) + 1;

// Case-insensitive; Other for a name that is not in the table.
HeaderId header_id(std::string_view name);

}  // namespace berth::http
