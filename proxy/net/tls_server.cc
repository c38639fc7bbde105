#include "proxy/net/tls_server.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/base/letter_case.h"
#include "proxy/net/tls_error.h"
#include "proxy/net/tls_transport.h"

namespace berth::net {

namespace {

constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr long kTicketSeconds =
    std::chrono::duration_cast<std::chrono::seconds>(TicketKeys::kLifetime).count();

bool fits_first_label(std::string_view name, std::string& wildcard) {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  wildcard = "*" + std::string(name.substr(dot));
  return true;
}

}  // namespace

// OpenSSL's, each with the TlsServer behind it. Called on the worker's thread, during a handshake.
struct TlsServer::Callbacks {
  static const TlsServer& server_of(const SSL& ssl) {
    return *static_cast<const TlsServer*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(&ssl)));
  }

  static int choose_certificate(SSL* ssl, int*, void*) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_OK;
    if (SSL_CTX* context = server_of(*ssl).find(name)) SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
  }

  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* size,
                             const unsigned char* offered, unsigned offered_size, void*) {
    static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
    const size_t skip = server_of(*ssl).http2_ ? 0 : 3;
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, size, kProtocols + skip,
                              static_cast<unsigned>(sizeof kProtocols - 1 - skip), offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED) {
      return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 section 3.2
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
  }

  // RFC 5077 section 4. Returns 0: no such key, a full handshake follows; 1; 2: and a new ticket.
  static int seal_ticket(SSL* ssl, unsigned char name[16], unsigned char* iv,
                         EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
    const TlsServer& server = server_of(*ssl);
    const EVP_CIPHER* algorithm = server.ticket_cipher_.get();
    if (sealing != 0) {
      const TicketKeys::Key key = server.ticket_keys_->newest();
      if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(algorithm)) != 1) return -1;
      std::memcpy(name, key.name.data(), key.name.size());
      const bool ok = EVP_EncryptInit_ex2(cipher, algorithm, key.cipher.data(), iv, nullptr) == 1;
      return ok && set_mac_key(*mac, key) ? 1 : -1;
    }
    const auto found = server.ticket_keys_->find(std::span<const uint8_t, 16>(name, 16));
    if (!found) return 0;
    if (!set_mac_key(*mac, found->key) ||
        EVP_DecryptInit_ex2(cipher, algorithm, found->key.cipher.data(), iv, nullptr) != 1) {
      return -1;
    }
    return found->newest ? 1 : 2;
  }

  static bool set_mac_key(EVP_MAC_CTX& mac, const TicketKeys::Key& key) {
    static char digest[] = "sha256";
    const std::array<OSSL_PARAM, 3> params = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<uint8_t*>(key.mac.data()),
                                          key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(&mac, params.data()) == 1;
  }
};

TlsServer::TlsServer(const Options& options, TlsFiles& files)
    : ticket_keys_(options.ticket_keys),
      http2_(options.http2),
      ticket_cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)) {
  if (ticket_cipher_ == nullptr) throw TlsSettingsError("", "OpenSSL has no AES-256-CBC");
  session_group_ = std::string(options.listener);
  if (!options.settings.client_ca.empty()) {
    clients_are_from_.emplace(options.settings.client_ca, "client_ca", files);
    files_.push_back(clients_are_from_->facts());
    session_group_ += files_.back().digest;
    session_group_ += std::to_string(static_cast<int>(options.settings.client_certificate));
  }
  session_group_ = digest_of(session_group_).substr(0, SSL_MAX_SID_CTX_LENGTH);
  add_certificates(options, files);
}

TlsServer::~TlsServer() = default;

SslContextPtr TlsServer::new_context(const Options& options) {
  const config::ListenerTls& settings = options.settings;
  ERR_clear_error();
  SslContextPtr made(SSL_CTX_new(TLS_server_method()));
  if (made == nullptr) throw TlsSettingsError("", "out of memory for TLS");
  SSL_CTX* context = made.get();
  SSL_CTX_set_app_data(context, this);
  const bool only_13 = settings.min_version == config::TlsVersion::Tls13;
  SSL_CTX_set_min_proto_version(context, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()) != 1) {
    throw TlsSettingsError("ciphers", "ciphers: OpenSSL knows none of '" + settings.ciphers + "'");
  }
  SSL_CTX_set_ciphersuites(context, kTls13Ciphers);
  SSL_CTX_set1_groups_list(context, std::string(kGroups).data());  // (its macro casts const away)
  // Our order, but ChaCha20 first for those who put it first: they have no hardware for AES.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  // Sessions live in tickets, with the client: nothing is kept here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, kTicketSeconds);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const unsigned char*>(session_group_.data()),
                                 static_cast<unsigned>(session_group_.size()));
  SSL_CTX_set_num_tickets(context, settings.session_tickets ? 1 : 0);
  if (!settings.session_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, Callbacks::seal_ticket);
  // (The macro for it has a cast of the old style.)
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(Callbacks::choose_certificate));
  SSL_CTX_set_alpn_select_cb(context, Callbacks::choose_protocol, nullptr);
  trust_clients(*context, settings);
  return made;
}

void TlsServer::trust_clients(SSL_CTX& context, const config::ListenerTls& settings) {
  if (settings.client_certificate == config::ClientCertificate::None) return;
  clients_are_from_->trust_in(context);
  clients_are_from_->name_in(context);
  int mode = SSL_VERIFY_PEER;
  if (settings.client_certificate == config::ClientCertificate::Required) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(&context, mode, nullptr);
}

void TlsServer::add_certificates(const Options& options, TlsFiles& files) {
  struct Group {
    std::vector<std::string> names;
    std::vector<int> key_types;
    SSL_CTX* context;
  };
  std::vector<Group> groups;
  const auto& pairs = options.settings.certificates;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::string setting = "certificates[" + std::to_string(i) + "].";
    const CertificatePair pair(pairs[i], setting, files);
    files_.push_back(pair.facts());
    if (std::string warning = pair.warning(); !warning.empty()) {
      warnings_.push_back(std::move(warning));
    }
    // The same names with another kind of key (RSA beside ECDSA): each client gets what it knows.
    const auto twin = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
      return group.names == pair.names() &&
             std::find(group.key_types.begin(), group.key_types.end(), pair.key_type()) ==
                 group.key_types.end();
    });
    try {
      if (twin != groups.end()) {
        pair.use_in(*twin->context);
        twin->key_types.push_back(pair.key_type());
        continue;
      }
      contexts_.push_back(new_context(options));
      pair.use_in(*contexts_.back());
    } catch (const TlsSettingsError& error) {
      if (!error.setting().empty()) throw;
      throw TlsSettingsError(setting + "certificate", error.what());
    }
    groups.push_back({pair.names(), {pair.key_type()}, contexts_.back().get()});
    // Of two certificates for one name the first one counts.
    for (const std::string& name : pair.names()) by_name_.emplace(name, contexts_.back().get());
  }
}

// The certificate for a host: by its exact name, else by a wildcard for its first label; nullptr if
// there is none.
SSL_CTX* TlsServer::find(std::string_view host) const {
  const std::string name = to_lower(host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0)));
  if (const auto at = by_name_.find(name); at != by_name_.end()) return at->second;
  std::string wildcard;
  if (!fits_first_label(name, wildcard)) return nullptr;
  const auto at = by_name_.find(wildcard);
  return at == by_name_.end() ? nullptr : at->second;
}

std::unique_ptr<Transport> TlsServer::accept(std::unique_ptr<Transport> lower,
                                             TransportHandler& handler) const {
  SslPtr ssl(SSL_new(contexts_.front().get()));
  if (ssl == nullptr) return nullptr;
  SSL_set_accept_state(ssl.get());
  return std::make_unique<TlsTransport>(TlsTransport::Side::Server, std::move(lower),
                                        std::move(ssl), shared_from_this(), handler);
}

}  // namespace berth::net
