// All TLS settings of a configuration, with their files read before anything changes: for the
// listeners and for the servers. What is made of them is immutable and shared by the workers;
// TicketKeys live through reloads, and so does the TlsConnector of a SharedServer that is kept.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/config/loader.h"
#include "proxy/net/tls_client.h"
#include "proxy/net/tls_server.h"

namespace berth::server {

// Thread: the main thread.
class TlsPlan {
 public:
  // Throws std::runtime_error that names the listener or upstream, the file and the reason.
  // `config` outlives it.
  TlsPlan(const config::Config& config, const std::shared_ptr<const net::TicketKeys>& ticket_keys);

  // nullptr: plain.
  std::shared_ptr<const net::TlsServer> server(const config::Listener& listener) const;
  // How to speak TLS to this server; nullptr: not at all. A new one, that knows no session yet.
  std::shared_ptr<const net::TlsConnector> connector(const config::Upstream& upstream,
                                                     const config::Server& server) const;
  // The same for servers whose connections are as good as each other's, as far as TLS is concerned;
  // "" without.
  std::string identity(const config::Upstream& upstream, const config::Server& server) const;

 private:
  std::map<const config::Listener*, std::shared_ptr<const net::TlsServer>> servers_;
  std::map<const config::Upstream*, std::shared_ptr<const net::TlsClient>> clients_;
};

// Reads the files that a configuration names, for `berth check` and before each start and reload:
// adds what is wrong with them, and which certificates expire, to `loaded`, at its place in the
// file.
void check_tls_files(config::LoadResult& loaded);

}  // namespace berth::server
