// TLS to app servers: whom to trust, what certificate to show, which sessions to resume.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/net/tls_connector.h"
#include "proxy/net/tls_files.h"
#include "proxy/net/tls_types.h"

namespace berth::net {

// The settings of one upstream, its files read. Immutable. Thread: any.
class TlsClient {
 public:
  // Throws TlsSettingsError.
  TlsClient(const config::UpstreamTls& settings, TlsFiles& files);

  // The same for the same settings with the same contents of their files.
  const std::string& identity() const { return identity_; }
  // The files that it is made of.
  const std::vector<TlsFileFacts>& files() const { return files_; }
  SSL_CTX& context() const { return *context_; }

 private:
  SslContextPtr context_;
  std::string identity_;
  std::vector<TlsFileFacts> files_;
};

// One server of that upstream. Thread: any.
class TlsServerConnector final : public TlsConnector,
                                 public std::enable_shared_from_this<TlsServerConnector> {
 public:
  // `name`: a host name or an IP address that the certificate must be for; "": any.
  TlsServerConnector(std::shared_ptr<const TlsClient> client, std::string name);
  ~TlsServerConnector() override;

  std::unique_ptr<Transport> connect(std::unique_ptr<Transport> lower,
                                     TransportHandler& handler) const override;

 private:
  friend class TlsClient;
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  bool prepare(SSL& ssl) const;

  const std::shared_ptr<const TlsClient> client_;
  const std::string name_;
  const bool is_ip_;
  mutable std::mutex mutex_;
  mutable SslSessionPtr session_;  // the newest
};

}  // namespace berth::net
