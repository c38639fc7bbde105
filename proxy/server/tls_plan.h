// All that a configuration says about TLS, ready for use: its files are read once, when it is
// loaded, and never looked at again, whatever changes meanwhile. Immutable and shared by the
// workers; TicketKeys live through reloads, and so does the TlsConnector of a SharedServer that is
// kept.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/config/loader.h"
#include "proxy/net/tls_client.h"
#include "proxy/net/tls_server.h"

namespace berth::server {

class TlsPlan;
using TlsPlanPtr = std::shared_ptr<const TlsPlan>;
using TicketKeysPtr = std::shared_ptr<const net::TicketKeys>;

// Thread: the main thread.
class TlsPlan {
 public:
  // Throws config::SettingError for the first thing that is wrong. Listeners and upstreams are
  // known by their place in `config`.
  TlsPlan(const config::Config& config, const TicketKeysPtr& ticket_keys);
  // Reports all that is wrong with the files, and which certificates expire, to `loaded`, at its
  // place in the file. nullptr, and no configuration is left in `loaded`, if there is an error.
  static TlsPlanPtr load(config::LoadResult& loaded, const TicketKeysPtr& ticket_keys);

  // nullptr: plain.
  std::shared_ptr<const net::TlsServer> server(size_t listener) const { return servers_[listener]; }
  // How to speak TLS to this server; nullptr: not at all. A new one, that knows no session yet.
  std::shared_ptr<const net::TlsConnector> connector(size_t upstream,
                                                     const config::Server& server) const;
  // The same for servers whose connections are as good as each other's, as far as TLS is concerned;
  // "" without.
  std::string identity(size_t upstream, const config::Server& server) const;
  // The same for the same contents of the listener's files; "" without.
  std::string contents(size_t listener) const;
  // The certificates and authorities, each once, in the order of the configuration.
  std::vector<net::TlsFileFacts> files() const;

 private:
  using Report =
      std::function<void(config::Level level, const std::string& setting, const std::string& what)>;
  TlsPlan(const config::Config& config, const TicketKeysPtr& ticket_keys, const Report& report);

  std::vector<std::shared_ptr<const net::TlsServer>> servers_;  // one for each listener
  struct Client {
    std::shared_ptr<const net::TlsClient> tls;  // nullptr: plain
    std::string server_name;                    // "": that of the server's address
  };
  std::vector<Client> clients_;  // one for each upstream
};

}  // namespace berth::server
