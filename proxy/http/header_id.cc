#include "proxy/http/header_id.h"

#include "proxy/http/literal.h"

namespace berth::http {

namespace {

template <Literal name>
inline bool is(const char* at) {
  return starts_with_nocase<name>(at);
}

}  // namespace

// The length leaves at most four candidates, and each costs two or three word comparisons.
HeaderId header_id(std::string_view name) {
  const char* at = name.data();
  switch (name.size()) {
    case 2:
      if (is<"te">(at)) return HeaderId::Te;
      break;
    case 4:
      if (is<"host">(at)) return HeaderId::Host;
      if (is<"date">(at)) return HeaderId::Date;
      break;
    case 6:
      if (is<"accept">(at)) return HeaderId::Accept;
      if (is<"cookie">(at)) return HeaderId::Cookie;
      if (is<"server">(at)) return HeaderId::Server;
      if (is<"expect">(at)) return HeaderId::Expect;
      break;
    case 7:
      if (is<"referer">(at)) return HeaderId::Referer;
      if (is<"upgrade">(at)) return HeaderId::Upgrade;
      if (is<"trailer">(at)) return HeaderId::Trailer;
      break;
    case 9:
      if (is<"forwarded">(at)) return HeaderId::Forwarded;
      break;
    case 10:
      if (is<"connection">(at)) return HeaderId::Connection;
      if (is<"user-agent">(at)) return HeaderId::UserAgent;
      if (is<"keep-alive">(at)) return HeaderId::KeepAlive;
      if (is<"set-cookie">(at)) return HeaderId::SetCookie;
      break;
    case 11:
      if (is<"retry-after">(at)) return HeaderId::RetryAfter;
      break;
    case 12:
      if (is<"content-type">(at)) return HeaderId::ContentType;
      if (is<"x-request-id">(at)) return HeaderId::XRequestId;
      break;
    case 13:
      if (is<"cache-control">(at)) return HeaderId::CacheControl;
      if (is<"authorization">(at)) return HeaderId::Authorization;
      break;
    case 14:
      if (is<"content-length">(at)) return HeaderId::ContentLength;
      break;
    case 15:
      if (is<"accept-encoding">(at)) return HeaderId::AcceptEncoding;
      if (is<"x-forwarded-for">(at)) return HeaderId::XForwardedFor;
      if (is<"idempotency-key">(at)) return HeaderId::IdempotencyKey;
      break;
    case 16:
      if (is<"x-forwarded-host">(at)) return HeaderId::XForwardedHost;
      if (is<"proxy-connection">(at)) return HeaderId::ProxyConnection;
      break;
    case 17:
      if (is<"transfer-encoding">(at)) return HeaderId::TransferEncoding;
      if (is<"x-forwarded-proto">(at)) return HeaderId::XForwardedProto;
      break;
    case 18:
      if (is<"proxy-authenticate">(at)) return HeaderId::ProxyAuthenticate;
      break;
    case 19:
      if (is<"proxy-authorization">(at)) return HeaderId::ProxyAuthorization;
      break;
    default:
      break;
  }
  return HeaderId::Other;
}

}  // namespace berth::http
