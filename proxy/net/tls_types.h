// OpenSSL's objects, each with its owner.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace berth::net {

// Of TLS 1.3, in the order of Mozilla's list and of ours for TLS 1.2. OpenSSL's begins with AES-256
// and SHA-384, and that hash, unlike SHA-256, has no instructions of its own in processors.
inline constexpr char kTls13Ciphers[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;
using SslContextPtr = std::unique_ptr<SSL_CTX, SslDeleter>;
using SslSessionPtr = std::unique_ptr<SSL_SESSION, SslDeleter>;
using CertificatePtr = std::unique_ptr<X509, SslDeleter>;
using BioPtr = std::unique_ptr<BIO, SslDeleter>;

}  // namespace berth::net
