// Certificates in files: what tests of TLS need.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "proxy/config/tls.h"
#include "proxy/net/tls_types.h"
#include "proxy/net/transport.h"

namespace berth::net {

// A certificate and its key, in files.
class CertificateFiles {
 public:
  struct Options {
    const char* name = "localhost";
    long valid_from = -3600;  // seconds from now
    long valid_until = 30L * 86400;
    const CertificateFiles* issuer = nullptr;  // nullptr: itself
    bool authority = false;                    // may issue others
  };

  CertificateFiles() : CertificateFiles(Options{}) {}
  explicit CertificateFiles(const Options& options) : key_(EVP_EC_gen("P-256"), EVP_PKEY_free) {
    char name[] = "/tmp/berth-tls-XXXXXX";
    folder_ = ::mkdtemp(name);
    pair = {.certificate = folder_ + "/crt", .key = folder_ + "/key"};
    certificate_.reset(X509_new());
    X509* made = certificate_.get();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), options.valid_from);
    X509_gmtime_adj(X509_getm_notAfter(made), options.valid_until);
    X509_set_pubkey(made, key_.get());
    X509_NAME* subject = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(options.name), -1, -1, 0);
    const CertificateFiles& issuer = options.issuer != nullptr ? *options.issuer : *this;
    X509_set_issuer_name(made, X509_get_subject_name(issuer.certificate_.get()));
    if (options.authority) {
      X509_EXTENSION* ca =
          X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
      X509_add_ext(made, ca, -1);
      X509_EXTENSION_free(ca);
    }
    X509_sign(made, issuer.key_.get(), EVP_sha256());
    write(pair.certificate, [&](std::FILE* file) { PEM_write_X509(file, made); });
    write(pair.key, [&](std::FILE* file) {
      PEM_write_PrivateKey(file, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  CertificateFiles(const CertificateFiles&) = delete;
  CertificateFiles& operator=(const CertificateFiles&) = delete;
  ~CertificateFiles() {
    std::remove(pair.certificate.c_str());
    std::remove(pair.key.c_str());
    std::remove(folder_.c_str());
  }

  // Adds another's certificate to the file: a chain.
  void append(const CertificateFiles& other) {
    std::FILE* file = std::fopen(pair.certificate.c_str(), "a");
    PEM_write_X509(file, other.certificate_.get());
    std::fclose(file);
  }

  config::Certificate pair;

 private:
  template <class Write>
  static void write(const std::string& path, Write&& write) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    write(file);
    std::fclose(file);
  }

  std::string folder_;
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  CertificatePtr certificate_;
};

struct Nobody final : TransportHandler {
  void on_ready(Ready) override {}
};

}  // namespace berth::net
