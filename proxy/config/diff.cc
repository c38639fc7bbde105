#include "proxy/config/diff.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "proxy/config/address_syntax.h"

namespace berth::config {
namespace {

std::string canonical_server(const std::string& address) {
  const auto parsed = parse_server_address(address);
  return parsed ? canonical(*parsed) : address;
}

std::string canonical_listener(const std::string& address) {
  const auto parsed = parse_listen_address(address);
  return parsed ? canonical(*parsed) : address;
}

// What holds sockets, as the plan sees it.
struct Item {
  std::string name;   // for people
  std::string key;    // equal for the same thing before and after
  const void* owner;  // the Upstream or Listener whose settings it lives under
  const Server* server = nullptr;
};

std::vector<Item> servers_of(const Config& config) {
  std::vector<Item> items;
  for (const Upstream& upstream : config.upstreams) {
    for (const Server& server : upstream.servers) {
      items.push_back({upstream.name + "/" + server.address,
                       upstream.name + "/" + canonical_server(server.address), &upstream, &server});
    }
  }
  return items;
}

std::vector<Item> listeners_of(const Config& config) {
  std::vector<Item> items;
  for (const Listener& listener : config.listeners) {
    items.push_back({listener.address, canonical_listener(listener.address), &listener});
  }
  return items;
}

// `same_settings(running, next)` says whether an item, and what it lives under, is unchanged.
template <class Same>
ReloadPlan::Part compare(const std::vector<Item>& running, const std::vector<Item>& next,
                         Same same_settings) {
  ReloadPlan::Part part;
  std::map<std::string_view, const Item*> before;
  for (const Item& item : running) before.emplace(item.key, &item);
  for (const Item& item : next) {
    const auto found = before.find(item.key);
    if (found == before.end()) {
      part.added.push_back(item.name);
      continue;
    }
    const bool same = same_settings(*found->second, item);
    (same ? part.kept : part.resized).push_back(item.name);
    before.erase(found);
  }
  for (const Item& item : running) {
    if (before.contains(item.key)) part.drained.push_back(item.name);
  }
  return part;
}

// The settings of an upstream, its list of servers apart: that one more server was added changes
// nothing for the others.
bool same_upstream_settings(const Item& running, const Item& next) {
  Upstream a = *static_cast<const Upstream*>(running.owner);
  Upstream b = *static_cast<const Upstream*>(next.owner);
  a.servers.clear();
  b.servers.clear();
  return a == b && running.server->weight == next.server->weight &&
         running.server->backup == next.server->backup;
}

// The spelling of the address is not a setting.
bool same_listener_settings(const Item& running, const Item& next) {
  Listener a = *static_cast<const Listener*>(running.owner);
  Listener b = *static_cast<const Listener*>(next.owner);
  const bool both_unnamed = a.name == a.address && b.name == b.address;
  a.address.clear();
  b.address.clear();
  if (both_unnamed) a.name = b.name;
  return a == b;
}

std::vector<std::string> settings_that_need_a_restart(const Config& running, const Config& next) {
  std::vector<std::string> keys;
  if (running.workers != next.workers) keys.emplace_back("workers");
  if (running.admin.address != next.admin.address) keys.emplace_back("admin.address");
  return keys;
}

std::string describe(std::string_view what, const ReloadPlan::Part& part) {
  std::string out;
  const auto add = [&](const std::vector<std::string>& names, std::string_view verb, bool list) {
    if (names.empty()) return;
    out += (out.empty() ? "" : ", ") + std::to_string(names.size()) + " " + std::string(verb);
    if (!list) return;
    constexpr size_t kMost = 8;
    for (size_t i = 0; i < std::min(names.size(), kMost); ++i) {
      out += (i == 0 ? " (" : " ") + names[i];
    }
    out += names.size() > kMost ? " ...)" : ")";
  };
  add(part.kept, "kept", false);
  add(part.resized, "resized", true);
  add(part.added, "added", true);
  add(part.drained, "drained", true);
  return std::string(what) + ": " + (out.empty() ? "none" : out);
}

}  // namespace

ReloadPlan plan_reload(const Config& running, const Config& next) {
  ReloadPlan plan;
  plan.servers = compare(servers_of(running), servers_of(next), same_upstream_settings);
  plan.listeners = compare(listeners_of(running), listeners_of(next), same_listener_settings);
  plan.routes_changed = running.routes != next.routes;
  plan.ignored = settings_that_need_a_restart(running, next);
  return plan;
}

std::string to_string(const ReloadPlan& plan) {
  std::string out = describe("servers", plan.servers) + "; " +
                    describe("listeners", plan.listeners) +
                    (plan.routes_changed ? "; routes changed" : "; routes unchanged");
  for (const std::string& key : plan.ignored) out += "; " + key + " needs a restart";
  return out;
}

}  // namespace berth::config
