// Puts a configuration into effect that has no files and whose servers are plain addresses.
#pragma once

#include <memory>

#include "proxy/config/snapshot.h"
#include "proxy/net/address.h"
#include "proxy/server/topology.h"

namespace berth::server {

inline Applied apply_snapshot(Topology& topology, const config::SnapshotPtr& snapshot) {
  AddressTable addresses;
  for (const config::Upstream& upstream : snapshot->config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      addresses[server.address.text()] = net::resolve(server.address.text());
    }
  }
  const auto tls =
      std::make_shared<const TlsPlan>(snapshot->config, std::make_shared<const net::TicketKeys>());
  return topology.apply(snapshot, addresses, tls);
}

}  // namespace berth::server
