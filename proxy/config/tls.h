// TLS on both sides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/config/sizes.h"

namespace berth::config {

enum class TlsVersion : uint8_t { Tls12, Tls13 };
enum class ClientCertificate : uint8_t { None, Optional, Required };

// PEM files.
struct Certificate {
  std::string certificate;  // with the chain behind it
  std::string key;
  bool operator==(const Certificate&) const = default;
};

// Mozilla's "intermediate" list, without the finite-field ones. TLS 1.3 has its own.
inline constexpr char kTls12Ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// TLS for clients.
struct ListenerTls {
  bool enabled = false;
  std::vector<Certificate> certificates;  // the first one is for names that none is for
  TlsVersion min_version = TlsVersion::Tls12;
  std::string ciphers = kTls12Ciphers;  // of TLS 1.2
  bool session_tickets = true;
  ClientCertificate client_certificate = ClientCertificate::None;
  std::string client_ca;  // PEM file: who may have issued client certificates
  std::string client_subject_header = "X-Client-Subject";
  bool operator==(const ListenerTls&) const = default;
};

// Strict-Transport-Security (RFC 6797), on responses over TLS.
struct Hsts {
  bool enabled = false;
  Duration max_age = 24h * 365;
  bool include_subdomains = false;
  bool preload = false;
  bool operator==(const Hsts&) const = default;
};

// TLS to the servers.
struct UpstreamTls {
  bool enabled = false;
  bool verify = true;
  std::string ca;           // PEM file; "": the system's authorities
  std::string server_name;  // "": the host name of the server's address
  std::string certificate;  // PEM files, for servers that ask for one
  std::string key;
  bool operator==(const UpstreamTls&) const = default;
};

}  // namespace berth::config
