#include "proxy/server/tls_plan.h"

#include <algorithm>

#include "proxy/config/setting_error.h"
#include "proxy/net/tls_files.h"

namespace berth::server {

namespace {

// The name that a server's certificate is to be for.
std::string host_of(const config::Server& server) {
  const config::AddressSyntax* address = server.address.syntax();
  std::string host = address != nullptr ? address->host : std::string();
  if (host.ends_with('.')) host.pop_back();  // no certificate has it
  return host;
}

[[noreturn]] void fail(config::Level, const std::string& setting, const std::string& what) {
  throw config::SettingError(setting, what);
}

}  // namespace

TlsPlan::TlsPlan(const config::Config& config, const TicketKeysPtr& ticket_keys)
    : TlsPlan(config, ticket_keys, [](auto level, const auto& setting, const auto& what) {
        if (level == config::Level::Error) fail(level, setting, what);
      }) {}

TlsPlan::TlsPlan(const config::Config& config, const TicketKeysPtr& ticket_keys,
                 const Report& report) {
  net::TlsFiles files;
  const auto attempt = [&](const std::string& section, auto&& make) -> decltype(make()) {
    try {
      return make();
    } catch (const net::TlsSettingsError& error) {
      report(config::Level::Error,
             error.setting().empty() ? section : section + "." + error.setting(), error.what());
      return nullptr;
    }
  };
  // Each file is named that cannot be read, and not only the first.
  const auto readable = [&](const std::string& section, const std::string& key,
                            const std::string& path) {
    return path.empty() || attempt(section, [&] { return &files.read(path, key); }) != nullptr;
  };
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& listener = config.listeners[i];
    std::shared_ptr<const net::TlsServer>& server = servers_.emplace_back();
    if (!listener.tls.enabled) continue;
    const std::string section = "listeners[" + std::to_string(i) + "].tls";
    bool all = readable(section, "client_ca", listener.tls.client_ca);
    for (size_t p = 0; p < listener.tls.certificates.size(); ++p) {
      const config::Certificate& pair = listener.tls.certificates[p];
      const std::string prefix = "certificates[" + std::to_string(p) + "].";
      all &= readable(section, prefix + "certificate", pair.certificate);
      all &= readable(section, prefix + "key", pair.key);
    }
    if (!all) continue;
    server = attempt(section, [&] {
      return std::make_shared<const net::TlsServer>(
          net::TlsServer::Options{.settings = listener.tls,
                                  .listener = listener.address.text(),
                                  .ticket_keys = ticket_keys,
                                  .http2 = listener.http2.enabled},
          files);
    });
    if (server == nullptr) continue;
    for (const std::string& warning : server->warnings()) {
      report(config::Level::Warning, section + ".certificates", warning);
    }
  }
  for (const config::Upstream& upstream : config.upstreams) {
    Client& client = clients_.emplace_back();
    if (!upstream.tls.enabled) continue;
    client.server_name = upstream.tls.server_name;
    const std::string section = "upstreams." + upstream.name + ".tls";
    bool all = readable(section, "ca", upstream.tls.verify ? upstream.tls.ca : std::string());
    all &= readable(section, "certificate", upstream.tls.certificate);
    all &= readable(section, "key", upstream.tls.key);
    if (!all) continue;
    client.tls = attempt(
        section, [&] { return std::make_shared<const net::TlsClient>(upstream.tls, files); });
  }
}

TlsPlanPtr TlsPlan::load(config::LoadResult& loaded, const TicketKeysPtr& ticket_keys) {
  if (!loaded.ok()) return nullptr;
  // (make_shared cannot call what is private.)
  TlsPlanPtr plan(
      new TlsPlan(*loaded.config, ticket_keys,
                  [&](config::Level level, const std::string& setting, const std::string& what) {
                    const config::Mark at = config::place_of(loaded.places, setting);
                    loaded.diagnostics.push_back({level, at.line, at.column, what, {}});
                    if (level == config::Level::Error) ++loaded.errors;
                  }));
  if (loaded.errors == 0) return plan;
  loaded.config.reset();
  return nullptr;
}

std::shared_ptr<const net::TlsConnector> TlsPlan::connector(size_t upstream,
                                                            const config::Server& server) const {
  const Client& client = clients_[upstream];
  if (client.tls == nullptr) return nullptr;
  return std::make_shared<net::TlsServerConnector>(
      client.tls, client.server_name.empty() ? host_of(server) : client.server_name);
}

std::string TlsPlan::identity(size_t upstream, const config::Server& server) const {
  const Client& client = clients_[upstream];
  if (client.tls == nullptr) return {};
  return (client.server_name.empty() ? host_of(server) : client.server_name) + " " +
         client.tls->identity();
}

std::string TlsPlan::contents(size_t listener) const {
  std::string out;
  if (servers_[listener] == nullptr) return out;
  for (const net::TlsFileFacts& file : servers_[listener]->files()) out += file.digest;
  return out;
}

std::vector<net::TlsFileFacts> TlsPlan::files() const {
  std::vector<net::TlsFileFacts> out;
  const auto add = [&out](const std::vector<net::TlsFileFacts>& files) {
    for (const net::TlsFileFacts& file : files) {
      const auto same = [&file](const auto& known) { return known.path == file.path; };
      if (std::none_of(out.begin(), out.end(), same)) out.push_back(file);
    }
  };
  for (const auto& server : servers_) {
    if (server != nullptr) add(server->files());
  }
  for (const Client& client : clients_) {
    if (client.tls != nullptr) add(client.tls->files());
  }
  return out;
}

}  // namespace berth::server
