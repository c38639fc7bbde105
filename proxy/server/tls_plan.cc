#include "proxy/server/tls_plan.h"

#include <stdexcept>

#include "proxy/config/address_syntax.h"
#include "proxy/net/tls_files.h"

namespace berth::server {

namespace {

// The name that a server's certificate is to be for.
std::string peer_name(const config::Upstream& upstream, const config::Server& server) {
  if (!upstream.tls.server_name.empty()) return upstream.tls.server_name;
  const auto parsed = config::parse_server_address(server.address);
  return parsed && parsed->kind != config::AddressKind::Unix ? parsed->host : std::string();
}

std::shared_ptr<const net::TlsServer> make_server(
    const config::Listener& listener, const std::shared_ptr<const net::TicketKeys>& ticket_keys) {
  return std::make_shared<net::TlsServer>(net::TlsServer::Options{.settings = listener.tls,
                                                                  .listener = listener.address,
                                                                  .ticket_keys = ticket_keys,
                                                                  .http2 = listener.http2.enabled});
}

}  // namespace

TlsPlan::TlsPlan(const config::Config& config,
                 const std::shared_ptr<const net::TicketKeys>& ticket_keys) {
  const auto named = [](const std::string& what, auto make) {
    try {
      return make();
    } catch (const net::TlsSettingsError& error) {
      throw std::runtime_error(what + ": " + error.what());
    }
  };
  for (const config::Listener& listener : config.listeners) {
    if (!listener.tls.enabled) continue;
    servers_[&listener] =
        named("listener " + listener.name, [&] { return make_server(listener, ticket_keys); });
  }
  for (const config::Upstream& upstream : config.upstreams) {
    if (!upstream.tls.enabled) continue;
    clients_[&upstream] = named("upstream " + upstream.name, [&] {
      return std::make_shared<const net::TlsClient>(upstream.tls);
    });
  }
}

std::shared_ptr<const net::TlsServer> TlsPlan::server(const config::Listener& listener) const {
  const auto at = servers_.find(&listener);
  return at == servers_.end() ? nullptr : at->second;
}

std::shared_ptr<const net::TlsConnector> TlsPlan::connector(const config::Upstream& upstream,
                                                            const config::Server& server) const {
  const auto at = clients_.find(&upstream);
  if (at == clients_.end()) return nullptr;
  return std::make_shared<net::TlsServerConnector>(at->second, peer_name(upstream, server));
}

std::string TlsPlan::identity(const config::Upstream& upstream,
                              const config::Server& server) const {
  const auto at = clients_.find(&upstream);
  if (at == clients_.end()) return {};
  return " " + peer_name(upstream, server) + " " + at->second->identity();
}

void check_tls_files(config::LoadResult& loaded) {
  if (!loaded.ok()) return;
  const auto report = [&](config::Level level, const std::string& path, const std::string& what) {
    const config::Mark at = config::place_of(loaded.places, path);
    loaded.diagnostics.push_back({level, at.line, at.column, what, {}});
    if (level == config::Level::Error) ++loaded.errors;
  };
  const auto attempt = [&](const std::string& path, auto&& read) {
    try {
      read();
    } catch (const net::TlsSettingsError& error) {
      const std::string place = error.setting().empty() ? path : path + "." + error.setting();
      report(config::Level::Error, place, error.what());
    }
  };
  const config::Config& config = *loaded.config;
  const auto keys = std::make_shared<net::TicketKeys>();
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    if (!config.listeners[i].tls.enabled) continue;
    const std::string path = "listeners[" + std::to_string(i) + "].tls";
    attempt(path, [&] {
      const auto server = make_server(config.listeners[i], keys);
      for (const std::string& warning : server->warnings()) {
        report(config::Level::Warning, path + ".certificates", warning);
      }
    });
  }
  for (const config::Upstream& upstream : config.upstreams) {
    if (!upstream.tls.enabled) continue;
    attempt("upstreams." + upstream.name + ".tls", [&] { net::TlsClient{upstream.tls}; });
  }
  if (loaded.errors > 0) loaded.config.reset();
}

}  // namespace berth::server
