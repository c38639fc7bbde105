// What a configuration in effect consists of, as far as a report of a reload tells.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/config/printer.h"
#include "proxy/net/address.h"
#include "proxy/server/tls_plan.h"

namespace berth::server {

// The addresses of each server, by its text in the configuration.
using AddressTable = std::map<std::string, std::vector<net::Address>>;

// One server of those that a name stands for.
struct ServerAddress {
  net::Address address;
  net::Address other;  // of the other IP family, the same server's; None: it has none
};

// The servers behind the addresses of a name. Those of one family are the servers: a host with
// addresses of both is not two. IPv4, if the machine has a route to one of them, for that reaches
// what listens on 127.0.0.1, 0.0.0.0 and ::, or else IPv6. One of each is one server with two
// addresses, of which the second is for when the first does not answer (net/dial.h).
std::vector<ServerAddress> servers_of(const std::vector<net::Address>& resolved);

// For people, after the name: " is 10.0.0.1:80, 10.0.0.2:80".
std::string describe_servers(const std::vector<net::Address>& resolved);

struct Inventory {
  struct Item {
    std::string key;            // equal for the same thing before and after
    std::string name;           // for people
    std::string made_of;        // different: it begins anew
    config::Settings settings;  // if these differ, it continues under the new ones
    std::string note;           // for people, where it is new or has changed
    // More of its settings: those of a server's upstream.
    std::shared_ptr<const config::Settings> shared = nullptr;
  };
  using Items = std::vector<Item>;

  Items servers;       // "UPSTREAM/ADDRESS"
  Items listeners;     // by address
  Items upstreams;     // by name
  Items certificates;  // and authorities, by file
  config::Settings routes;
  config::Settings process;  // all other settings
};

// What each listener is known by from one configuration to the next: its address, whatever its
// spelling; where several have port 0 of one address, by their order.
std::vector<std::string> listener_keys(const config::Config& config);

// Pure. `addresses`: those of every server.
Inventory take_inventory(const config::Config& config, const AddressTable& addresses,
                         const TlsPlan& tls);

}  // namespace berth::server
