// TLS for clients: the certificates of one listener, chosen by SNI, and everything else that a
// handshake needs. Made at start and at each reload; handshakes that began with the old one finish
// with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/net/ticket_keys.h"
#include "proxy/net/tls_acceptor.h"
#include "proxy/net/tls_files.h"
#include "proxy/net/tls_types.h"

namespace berth::net {

// Immutable, shared by all workers. Thread: any.
class TlsServer final : public TlsAcceptor, public std::enable_shared_from_this<TlsServer> {
 public:
  struct Options {
    const config::ListenerTls& settings;
    // Sessions of one listener are not resumed on another.
    std::string_view listener;
    std::shared_ptr<const TicketKeys> ticket_keys;
    bool http2 = false;  // offered by ALPN, before http/1.1
  };

  // Throws TlsSettingsError.
  TlsServer(const Options& options, TlsFiles& files);
  ~TlsServer() override;

  std::unique_ptr<Transport> accept(std::unique_ptr<Transport> lower,
                                    TransportHandler& handler) const override;
  // About certificates that have expired or soon will.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // The files that it is made of.
  const std::vector<TlsFileFacts>& files() const { return files_; }

 private:
  struct Callbacks;
  SslContextPtr new_context(const Options& options);
  void trust_clients(SSL_CTX& context, const config::ListenerTls& settings);
  void add_certificates(const Options& options, TlsFiles& files);
  SSL_CTX* find(std::string_view host) const;

  std::shared_ptr<const TicketKeys> ticket_keys_;
  const bool http2_;
  std::vector<SslContextPtr> contexts_;  // the first one is for names that nobody knows
  std::unordered_map<std::string, SSL_CTX*> by_name_;  // exact, and "*.suffix"
  std::vector<std::string> warnings_;
  std::vector<TlsFileFacts> files_;
  std::optional<Authorities> clients_are_from_;  // who may have issued client certificates
  std::string session_group_;  // what must be the same for a session to be resumed
  std::unique_ptr<EVP_CIPHER, SslDeleter> ticket_cipher_;
};

}  // namespace berth::net
