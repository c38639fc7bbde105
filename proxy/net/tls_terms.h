// What TLS a connection speaks, for the log.
#pragma once

#include <cstdint>

namespace berth::net {

struct TlsTerms {
  enum class Version : uint8_t { None, Tls12, Tls13 };  // None: no TLS
  enum class Alpn : uint8_t { None, Http1, Http2 };     // None: nothing was agreed on

  const char* cipher = "";  // OpenSSL's name for it, which lives as long as the process
  Version version = Version::None;
  Alpn alpn = Alpn::None;
  bool resumed = false;
};

}  // namespace berth::net
