// The words of the configuration that stand for one of several values, and what texts look like.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/config/config.h"

namespace berth::config {

template <class E>
struct Choice {
  E value;
  std::string_view name;
};
template <class E>
Choice(E, std::string_view) -> Choice<E>;

inline constexpr std::array kBalances = {
    Choice{Balance::LeastRequests, "least_requests"},
    Choice{Balance::RoundRobin, "round_robin"},
    Choice{Balance::RandomTwo, "random_two"},
    Choice{Balance::Hash, "hash"},
};
inline constexpr std::array kHashBys = {
    Choice{HashBy::ClientAddress, "client_address"},
    Choice{HashBy::Header, "header"},
    Choice{HashBy::Cookie, "cookie"},
};
inline constexpr std::array kCookieSecures = {
    Choice{CookieSecure::Auto, "auto"},
    Choice{CookieSecure::No, "false"},
    Choice{CookieSecure::Yes, "true"},
};
inline constexpr std::array kSameSites = {
    Choice{SameSite::Lax, "lax"},
    Choice{SameSite::Strict, "strict"},
    Choice{SameSite::None, "none"},
};
inline constexpr std::array kReuses = {Choice{Reuse::Lifo, "lifo"}, Choice{Reuse::Fifo, "fifo"}};
inline constexpr std::array kOnOrOff = {Choice{true, "on"}, Choice{false, "off"}};
inline constexpr std::array kHalfCloses = {Choice{HalfClose::Serve, "serve"},
                                           Choice{HalfClose::Abort, "abort"}};
inline constexpr std::array kLogFormats = {Choice{LogFormat::Json, "json"},
                                           Choice{LogFormat::Combined, "combined"},
                                           Choice{LogFormat::Template, "template"}};
inline constexpr std::array kNonIdempotents = {
    Choice{RetryNonIdempotent::Never, "never"},
    Choice{RetryNonIdempotent::FinProved, "fin_proved"},
};
inline constexpr std::array kRequestBodies = {Choice{RequestBody::Auto, "auto"},
                                              Choice{RequestBody::Stream, "stream"},
                                              Choice{RequestBody::Spool, "spool"}};
inline constexpr std::array kRouteRequestBodies = {
    Choice{RequestBody::Inherit, "inherit"}, Choice{RequestBody::Auto, "auto"},
    Choice{RequestBody::Stream, "stream"}, Choice{RequestBody::Spool, "spool"}};
inline constexpr std::array kEjectFors = {
    Choice{EjectFor::Failures, "failures"},
    Choice{EjectFor::GatewayErrors, "gateway_errors"},
    Choice{EjectFor::ServerErrors, "server_errors"},
};

inline constexpr std::array kTlsVersions = {Choice{TlsVersion::Tls12, "1.2"},
                                            Choice{TlsVersion::Tls13, "1.3"}};
inline constexpr std::array kClientCertificates = {
    Choice{ClientCertificate::None, "none"},
    Choice{ClientCertificate::Optional, "optional"},
    Choice{ClientCertificate::Required, "required"},
};
inline constexpr std::array kProxyProtocols = {Choice{ProxyProtocol::Off, "off"},
                                               Choice{ProxyProtocol::V1, "v1"},
                                               Choice{ProxyProtocol::V2, "v2"}};

// What a text must look like.
enum class TextKind : uint8_t {
  Label,  // a name: no blanks
  ListenAddress,
  AdminAddress,  // a listen address, or `off`, which is ""
  ServerAddress,
  LogPath,       // "-" or an absolute path
  LogTemplate,   // or "": none
  Host,          // of a route
  PathPrefix,    // of a route
  UpstreamName,  // checked when all upstreams are known
  Network,
  HeaderName,
  FieldPattern,  // a header name, or the beginning of some and a star
  HeaderValue,
  HashName,    // of a header or cookie; "" if it is not needed
  CookieName,  // or `off`, which is ""
  CookiePath,
  File,         // or "": none. Relative names are in the folder of the configuration
  ServerName,   // a host name, or "": none
  Ciphers,      // OpenSSL's names, with colons between them
  CheckTarget,  // of a health check: a path, with a query or without
  CheckHost,    // a Host, or auto
  Folder,       // an absolute path, or auto
  StatusRange,
  HostName,
  Nameserver,  // an IP address with a port
};

}  // namespace berth::config
