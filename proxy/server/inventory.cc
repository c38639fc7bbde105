#include "proxy/server/inventory.h"

#include <algorithm>
#include <map>

#include "proxy/net/dial.h"

namespace berth::server {

namespace {

// Its name, and the spelling of its address, are not settings.
Inventory::Item item_of(const config::Listener& listener, std::string key, std::string files) {
  Inventory::Item item{.key = std::move(key),
                       .name = listener.address.text(),
                       .made_of = {},
                       .settings = config::settings_of(listener),
                       .note = {},
                       .shared = nullptr};
  if (listener.name == listener.address.text()) item.settings.erase("name");
  item.settings.erase("address");
  item.settings["tls.certificates"] = std::move(files);
  return item;
}

// An upstream without its servers: that one more was added changes nothing for the others.
Inventory::Item item_of(const config::Upstream& upstream) {
  Inventory::Item item{.key = upstream.name,
                       .name = upstream.name,
                       .made_of = {},
                       .settings = config::settings_of(upstream),
                       .note = {},
                       .shared = nullptr};
  std::erase_if(item.settings,
                [](const auto& setting) { return setting.first.starts_with("servers"); });
  return item;
}

}  // namespace

std::vector<std::string> listener_keys(const config::Config& config) {
  std::vector<std::string> keys;
  std::map<std::string, int> seen;
  for (const config::Listener& listener : config.listeners) {
    std::string key = listener.address.canonical();
    const int nth = ++seen[key];
    if (nth > 1) key += " #" + std::to_string(nth);
    keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<ServerAddress> servers_of(const std::vector<net::Address>& resolved) {
  using net::AddressKind;
  std::vector<ServerAddress> v4;
  std::vector<ServerAddress> v6;
  std::vector<ServerAddress> all;
  for (const net::Address& address : resolved) {
    all.push_back({.address = address, .other = {}});
    if (address.kind() == AddressKind::V4) v4.push_back(all.back());
    if (address.kind() == AddressKind::V6) v6.push_back(all.back());
  }
  if (v4.empty() || v6.empty()) return all;
  if (v4.size() == 1 && v6.size() == 1) {
    return {{.address = v4.front().address, .other = v6.front().address}};
  }
  const bool reachable = std::any_of(
      v4.begin(), v4.end(), [](const ServerAddress& one) { return net::has_route(one.address); });
  return reachable ? v4 : v6;
}

std::string describe_servers(const std::vector<net::Address>& resolved) {
  std::string out;
  std::string unused;
  const std::vector<ServerAddress> servers = servers_of(resolved);
  for (const ServerAddress& server : servers) {
    out += (out.empty() ? " is " : ", ") + server.address.to_string();
    if (server.other.kind() == net::AddressKind::None) continue;
    out += ", or " + server.other.to_string() + " if that does not answer";
  }
  for (const net::Address& address : resolved) {
    const bool used = std::any_of(servers.begin(), servers.end(), [&](const ServerAddress& server) {
      return server.address == address || server.other == address;
    });
    if (!used) unused += (unused.empty() ? "" : ", ") + address.to_string();
  }
  return unused.empty() ? out : out + " (one family is used: not " + unused + ")";
}

Inventory take_inventory(const config::Config& config, const AddressTable& addresses,
                         const TlsPlan& tls) {
  Inventory out;
  const std::vector<std::string> keys = listener_keys(config);
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    out.listeners.push_back(item_of(config.listeners[i], keys[i], tls.contents(i)));
  }
  for (size_t i = 0; i < config.upstreams.size(); ++i) {
    const config::Upstream& upstream = config.upstreams[i];
    out.upstreams.push_back(item_of(upstream));
    const auto shared = std::make_shared<const config::Settings>(out.upstreams.back().settings);
    for (const config::Server& server : upstream.servers) {
      for (const ServerAddress& at : servers_of(addresses.at(server.address.text()))) {
        const std::string name = upstream.name + "/" + at.address.to_string();
        const auto same = [&name](const auto& item) { return item.key == name; };
        // Named twice, it still is one.
        if (std::any_of(out.servers.begin(), out.servers.end(), same)) continue;
        Inventory::Item& item = out.servers.emplace_back();
        item.key = item.name = name;
        item.made_of = tls.identity(i, server);
        if (at.other.kind() != net::AddressKind::None) item.made_of += " " + at.other.to_string();
        item.settings = {{"weight", std::to_string(server.weight)},
                         {"backup", server.backup ? "true" : "false"}};
        item.shared = shared;
      }
    }
  }
  for (const net::TlsFileFacts& file : tls.files()) {
    out.certificates.push_back({.key = file.path,
                                .name = file.path,
                                .made_of = {},
                                .settings = {{"contents", file.digest}},
                                .note = file.note,
                                .shared = nullptr});
  }
  for (auto& [key, value] : config::settings_of(config)) {
    if (key.starts_with("listeners") || key.starts_with("upstreams")) continue;
    (key.starts_with("routes") ? out.routes : out.process).emplace(key, value);
  }
  return out;
}

}  // namespace berth::server
