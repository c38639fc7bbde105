// Contradictions in how an upstream chooses its servers.
#include <algorithm>
#include <map>
#include <string>

#include "proxy/config/validate.h"

namespace berth::config {
namespace {

class BalancingRules {
 public:
  BalancingRules(const Places& places, Diagnostics& diagnostics)
      : places_(places), diagnostics_(diagnostics) {}

  void check(const Upstream& upstream) {
    const std::string path = "upstreams." + upstream.name;
    check_hash(upstream, path);
    check_sticky(upstream, path + ".sticky");
    check_backups(upstream, path + ".servers");
  }

 private:
  Mark at(const std::string& path) const { return place_of(places_, path); }

  void check_hash(const Upstream& upstream, const std::string& path) {
    const Hash& hash = upstream.hash;
    if (upstream.balance != Balance::Hash) {
      if (hash == Hash{}) return;
      diagnostics_.error(at(path + ".hash"),
                         "hash says what to balance by, but balance is not hash",
                         "write balance: hash, or leave hash out");
      return;
    }
    if (hash.by == HashBy::ClientAddress) {
      if (hash.name.empty()) return;
      diagnostics_.error(at(path + ".hash.name"), "hash has a name, but is by client_address",
                         "write by: header or by: cookie");
      return;
    }
    if (!hash.name.empty()) return;
    const bool header = hash.by == HashBy::Header;
    diagnostics_.error(
        at(path + ".hash.by"),
        std::string("hash is by ") + (header ? "header" : "cookie") + ", but does not say which",
        header ? "such as name: X-Tenant" : "such as name: session");
  }

  void check_sticky(const Upstream& upstream, const std::string& path) {
    const Sticky& sticky = upstream.sticky;
    if (sticky.cookie.empty()) {
      if (sticky != Sticky{} && !places_.contains(path + ".cookie")) {
        diagnostics_.error(at(path), "sticky has no cookie", "such as cookie: berth_server");
      }
      return;
    }
    if (sticky.same_site == SameSite::None && sticky.secure == CookieSecure::No) {
      diagnostics_.error(at(path + ".same_site"),
                         "browsers refuse a cookie with same_site: none that is not secure",
                         "write secure: true");
    }
    const auto [seen, fresh] =
        cookies_.emplace(sticky.cookie + ' ' + sticky.path, at(path + ".cookie"));
    if (fresh) return;
    diagnostics_.warning(at(path + ".cookie"),
                         "another upstream has the same sticky cookie '" + sticky.cookie +
                             "': clients that use both are moved about",
                         seen->second.line == 0
                             ? std::string()
                             : "first on line " + std::to_string(seen->second.line));
  }

  void check_backups(const Upstream& upstream, const std::string& path) {
    const auto& servers = upstream.servers;
    const bool all = std::all_of(servers.begin(), servers.end(),
                                 [](const Server& server) { return server.backup; });
    if (servers.empty() || !all) return;
    diagnostics_.error(at(path), "every server of upstream '" + upstream.name + "' is a backup",
                       "at least one must not be: a backup serves while no other server may");
  }

  const Places& places_;
  Diagnostics& diagnostics_;
  std::map<std::string, Mark> cookies_;
};

}  // namespace

void check_balancing(const Config& config, const Places& places, Diagnostics& diagnostics) {
  BalancingRules rules(places, diagnostics);
  for (const Upstream& upstream : config.upstreams) rules.check(upstream);
}

}  // namespace berth::config
