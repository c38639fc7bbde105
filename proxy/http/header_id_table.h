// header_id() for the parser's inner loop, where a call would cost as much as the look-up.
#pragma once

#include "proxy/http/header_id.h"
#include "proxy/http/literal.h"

namespace berth::http {

// The length leaves at most four candidates, and each costs two or three word comparisons.
[[gnu::always_inline]] inline HeaderId find_header_id(std::string_view name) {
  const char* at = name.data();
  switch (name.size()) {
    case 2:
      if (starts_with_nocase<"te">(at)) return HeaderId::Te;
      break;
    case 3:
      if (starts_with_nocase<"via">(at)) return HeaderId::Via;
      break;
    case 4:
      if (starts_with_nocase<"host">(at)) return HeaderId::Host;
      if (starts_with_nocase<"date">(at)) return HeaderId::Date;
      break;
    case 6:
      if (starts_with_nocase<"accept">(at)) return HeaderId::Accept;
      if (starts_with_nocase<"cookie">(at)) return HeaderId::Cookie;
      if (starts_with_nocase<"server">(at)) return HeaderId::Server;
      if (starts_with_nocase<"expect">(at)) return HeaderId::Expect;
      break;
    case 7:
      if (starts_with_nocase<"referer">(at)) return HeaderId::Referer;
      if (starts_with_nocase<"upgrade">(at)) return HeaderId::Upgrade;
      if (starts_with_nocase<"trailer">(at)) return HeaderId::Trailer;
      break;
    case 9:
      if (starts_with_nocase<"forwarded">(at)) return HeaderId::Forwarded;
      break;
    case 10:
      if (starts_with_nocase<"connection">(at)) return HeaderId::Connection;
      if (starts_with_nocase<"user-agent">(at)) return HeaderId::UserAgent;
      if (starts_with_nocase<"keep-alive">(at)) return HeaderId::KeepAlive;
      if (starts_with_nocase<"set-cookie">(at)) return HeaderId::SetCookie;
      break;
    case 11:
      if (starts_with_nocase<"retry-after">(at)) return HeaderId::RetryAfter;
      break;
    case 12:
      if (starts_with_nocase<"content-type">(at)) return HeaderId::ContentType;
      if (starts_with_nocase<"x-request-id">(at)) return HeaderId::XRequestId;
      break;
    case 13:
      if (starts_with_nocase<"cache-control">(at)) return HeaderId::CacheControl;
      if (starts_with_nocase<"authorization">(at)) return HeaderId::Authorization;
      break;
    case 14:
      if (starts_with_nocase<"content-length">(at)) return HeaderId::ContentLength;
      break;
    case 15:
      if (starts_with_nocase<"accept-encoding">(at)) return HeaderId::AcceptEncoding;
      if (starts_with_nocase<"x-forwarded-for">(at)) return HeaderId::XForwardedFor;
      if (starts_with_nocase<"idempotency-key">(at)) return HeaderId::IdempotencyKey;
      break;
    case 16:
      if (starts_with_nocase<"x-forwarded-host">(at)) return HeaderId::XForwardedHost;
      if (starts_with_nocase<"proxy-connection">(at)) return HeaderId::ProxyConnection;
      break;
    case 17:
      if (starts_with_nocase<"transfer-encoding">(at)) return HeaderId::TransferEncoding;
      if (starts_with_nocase<"x-forwarded-proto">(at)) return HeaderId::XForwardedProto;
      break;
    case 18:
      if (starts_with_nocase<"proxy-authenticate">(at)) return HeaderId::ProxyAuthenticate;
      break;
    case 19:
      if (starts_with_nocase<"proxy-authorization">(at)) return HeaderId::ProxyAuthorization;
      break;
    default:
      break;
  }
  return HeaderId::Other;
}

}  // namespace berth::http
