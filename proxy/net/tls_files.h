// Certificates and keys from PEM files, for start-up and reload.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/net/tls_types.h"

namespace berth::net {

// A TLS setting that cannot be used: what() names the file and the reason.
class TlsSettingsError : public std::runtime_error {
 public:
  TlsSettingsError(std::string setting, const std::string& what)
      : std::runtime_error(what), setting_(std::move(setting)) {}
  // The setting's place below the `tls` section: "certificates[1].key".
  const std::string& setting() const { return setting_; }

 private:
  std::string setting_;
};

// All of a file. Throws TlsSettingsError.
std::string read_tls_file(const std::string& path, const std::string& setting);

// A certificate with the chain that is sent with it, and its key.
class CertificatePair {
 public:
  // Reads both and checks that they belong together. `setting`: the place of the pair, to which
  // "certificate" and "key" are appended. Throws TlsSettingsError.
  CertificatePair(const config::Certificate& files, const std::string& setting);

  void use_in(SSL_CTX& context) const;
  // DNS names that it is good for, in lower case: exact, or "*.suffix". The common name only if
  // there is no alternative name (RFC 6125).
  const std::vector<std::string>& names() const { return names_; }
  // EVP_PKEY_RSA, EVP_PKEY_EC, ...
  int key_type() const;
  // Nothing, or that it has expired, will soon, or is not valid yet.
  std::string warning() const;
  // The bytes of both files.
  const std::string& contents() const { return contents_; }

 private:
  struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  std::string file_;
  std::string contents_;
  CertificatePtr certificate_;
  std::vector<CertificatePtr> chain_;
  std::unique_ptr<EVP_PKEY, KeyDeleter> key_;
  std::vector<std::string> names_;
};

// Certificates to trust, into the context's store. Returns the file's bytes. Throws
// TlsSettingsError.
std::string trust_file(SSL_CTX& context, const std::string& path, const std::string& setting);

// SHA-256, in hexadecimal.
std::string digest_of(std::string_view bytes);

}  // namespace berth::net
