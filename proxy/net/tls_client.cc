#include "proxy/net/tls_client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "proxy/net/server_tls_failure.h"
#include "proxy/net/tls_error.h"
#include "proxy/net/tls_transport.h"

namespace berth::net {

namespace {

bool is_ip_address(const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

}  // namespace

TlsClient::TlsClient(const config::UpstreamTls& settings, TlsFiles& files) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = context_.get();
  if (context == nullptr) throw TlsSettingsError("", "out of memory for TLS");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_ciphersuites(context, kTls13Ciphers);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, TlsServerConnector::on_new_session);
  static constexpr unsigned char kHttp[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context, kHttp, sizeof kHttp - 1);

  std::string contents = settings.verify ? "verify " : "";
  if (settings.verify) {
    verify_servers(*context);
    if (!settings.ca.empty()) {
      const Authorities authorities(settings.ca, "ca", files);
      authorities.trust_in(*context);
      files_.push_back(authorities.facts());
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
      throw TlsSettingsError(
          "ca", "the system's certificate authorities cannot be read: " + openssl_error());
    }
  }
  if (!settings.certificate.empty()) {
    const CertificatePair pair({settings.certificate, settings.key}, "", files);
    pair.use_in(*context);
    files_.push_back(pair.facts());
  }
  for (const TlsFileFacts& file : files_) contents += file.digest;
  identity_ = digest_of(contents);
}

TlsServerConnector::TlsServerConnector(std::shared_ptr<const TlsClient> client, std::string name)
    : client_(std::move(client)), name_(std::move(name)), is_ip_(is_ip_address(name_)) {}

TlsServerConnector::~TlsServerConnector() = default;

// A ticket has come. 1: the session is ours now.
int TlsServerConnector::on_new_session(SSL* ssl, SSL_SESSION* session) {
  const auto* connector = static_cast<const TlsServerConnector*>(SSL_get_app_data(ssl));
  const std::lock_guard lock(connector->mutex_);
  connector->session_.reset(session);
  return 1;
}

bool TlsServerConnector::prepare(SSL& ssl) const {
  SSL_set_connect_state(&ssl);
  SSL_set_app_data(&ssl, const_cast<TlsServerConnector*>(this));
  if (!name_.empty()) {
    X509_VERIFY_PARAM* param = SSL_get0_param(&ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_ip_) {
      if (X509_VERIFY_PARAM_set1_ip_asc(param, name_.c_str()) != 1) return false;
    } else {
      // (The macro for the first one has a cast of the old style.)
      std::string name = name_;
      if (SSL_ctrl(&ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) !=
              1 ||
          SSL_set1_host(&ssl, name_.c_str()) != 1) {
        return false;
      }
    }
  }
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr) return true;
  // A copy: OpenSSL marks what it has used as used up, and Node sends no new ticket to those who
  // resume. (That a ticket tells connections apart is no concern between a proxy and its server.)
  const SslSessionPtr copy(SSL_SESSION_dup(session_.get()));
  if (copy != nullptr) SSL_set_session(&ssl, copy.get());
  return true;
}

std::unique_ptr<Transport> TlsServerConnector::connect(std::unique_ptr<Transport> lower,
                                                       TransportHandler& handler) const {
  SslPtr ssl(SSL_new(&client_->context()));
  if (ssl == nullptr || !prepare(*ssl)) return nullptr;
  return std::make_unique<TlsTransport>(TlsTransport::Side::Client, std::move(lower),
                                        std::move(ssl), shared_from_this(), handler);
}

}  // namespace berth::net
