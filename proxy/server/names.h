// The host names among the servers' addresses: resolved at start, and again whenever their time to
// live is over.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/event/loop.h"
#include "proxy/net/resolver.h"
#include "proxy/server/inventory.h"
#include "proxy/stats/stats.h"

namespace berth::server {

// Asks for the addresses of one server, which blocks if it is a name. Throws std::runtime_error.
std::vector<net::Address> resolve_server(const config::Endpoint& server,
                                         const config::Resolver& settings);

class NamesObserver {
 public:
  // Some names have other addresses than before: see Names::table().
  virtual void on_names_changed() = 0;

 protected:
  ~NamesObserver() = default;
};

// Thread: the main thread.
class Names {
 public:
  // `loop`, `stats` and `observer` outlive it.
  Names(event::Loop& loop, stats::ProcessStats& stats, NamesObserver& observer);
  ~Names();

  // The addresses of all servers of a configuration: names that are known already as they are
  // known, new ones by asking, which blocks. Throws config::SettingError if a new one has none.
  // Changes nothing.
  AddressTable resolve(const config::Config& config) const;
  // The same for the start: where names are followed, one that cannot be resolved within kPatience
  // has no addresses yet, and the log says so; its upstream waits, and nothing else does.
  AddressTable resolve_at_start(const config::Config& config) const;
  // From now on follows the names of this configuration, beginning with `table`.
  void follow(const config::Config& config, AddressTable table);
  // The newest addresses of each server, by its text in the configuration; none: not known yet.
  const AddressTable& table() const { return table_; }

 private:
  class Followed;
  std::vector<net::Address> resolve(const config::Endpoint& server,
                                    const config::Resolver& settings) const;
  void update(Followed& name, const net::Resolution& found);

  event::Loop& loop_;
  stats::ProcessStats& stats_;
  NamesObserver& observer_;
  config::Resolver settings_;
  AddressTable table_;
  std::unique_ptr<net::Resolver> resolver_;
  std::list<Followed> followed_;
};

}  // namespace berth::server
