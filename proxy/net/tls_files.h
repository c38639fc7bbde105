// Certificates and keys from PEM files, for start-up and reload.
#pragma once

#include <map>
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

// The files of one configuration. Each is read once, however many settings name it: so all that is
// made of it fits together, whatever happens on the disk meanwhile. Thread: one.
class TlsFiles {
 public:
  // All of a file; valid as long as this object. Throws TlsSettingsError.
  const std::string& read(const std::string& path, const std::string& setting);

 private:
  std::map<std::string, std::string> read_;
};

// A file as it was read, for people.
struct TlsFileFacts {
  std::string path;
  std::string digest;  // of what belongs together: a certificate's with its key's
  std::string note;    // of a certificate: "valid until 2027-02-26"
};

// A certificate with the chain that is sent with it, and its key.
class CertificatePair {
 public:
  // Reads both and checks that they belong together. `setting`: the place of the pair, to which
  // "certificate" and "key" are appended. Throws TlsSettingsError.
  CertificatePair(const config::Certificate& pair, const std::string& setting, TlsFiles& files);

  void use_in(SSL_CTX& context) const;
  // DNS names that it is good for, in lower case: exact, or "*.suffix". The common name only if
  // there is no alternative name (RFC 6125).
  const std::vector<std::string>& names() const { return names_; }
  // EVP_PKEY_RSA, EVP_PKEY_EC, ...
  int key_type() const;
  // Nothing, or that it has expired, will soon, or is not valid yet.
  std::string warning() const;
  TlsFileFacts facts() const;

 private:
  struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  std::string file_;
  std::string digest_;  // of both files
  CertificatePtr certificate_;
  std::vector<CertificatePtr> chain_;
  std::unique_ptr<EVP_PKEY, KeyDeleter> key_;
  std::vector<std::string> names_;
};

// Certificates to trust.
class Authorities {
 public:
  // Throws TlsSettingsError.
  Authorities(const std::string& path, const std::string& setting, TlsFiles& files);

  // Into the context's store.
  void trust_in(SSL_CTX& context) const;
  // Tells clients of them, so that they can choose a certificate.
  void name_in(SSL_CTX& context) const;
  TlsFileFacts facts() const { return {file_, digest_, {}}; }

 private:
  std::string file_;
  std::string digest_;
  std::vector<CertificatePtr> certificates_;
};

// SHA-256, in hexadecimal.
std::string digest_of(std::string_view bytes);

}  // namespace berth::net
