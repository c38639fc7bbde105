#include "proxy/server/names.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "proxy/config/address_syntax.h"
#include "proxy/config/setting_error.h"
#include "proxy/event/signals.h"
#include "proxy/server/log.h"

namespace berth::server {

namespace {

// How long the start waits for all names together.
constexpr auto kPatience = std::chrono::seconds(2);
// After a failure while no address is known.
constexpr Duration kUnknownAgainAfter = std::chrono::seconds(1);
// After any other failure; twice as long after each one that follows.
constexpr Duration kAgainAfter = std::chrono::seconds(5);
constexpr Duration kAgainAtMost = std::chrono::minutes(1);

std::string listed(const std::vector<net::Address>& addresses) {
  std::string out;
  for (const net::Address& address : addresses) {
    out += (out.empty() ? "" : ", ") + address.to_string();
  }
  return out;
}

bool contains(const std::vector<net::Address>& all, const net::Address& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// Name servers turn their answers round; what stays keeps its place. Of a family about which
// nothing was learned, all stays.
std::vector<net::Address> merged(const std::vector<net::Address>& before,
                                 const net::Resolution& found) {
  std::vector<net::Address> out;
  for (const net::Address& address : before) {
    const bool unknown =
        address.kind() == net::AddressKind::V4 ? found.v4_unknown : found.v6_unknown;
    if (unknown || contains(found.addresses, address)) out.push_back(address);
  }
  for (const net::Address& address : found.addresses) {
    if (!contains(out, address)) out.push_back(address);
  }
  return out;
}

// What a thread finds out about names while the start waits for it.
struct Findings {
  std::mutex mutex;
  std::condition_variable changed;
  AddressTable found;
  std::map<std::string, std::string> errors;  // by name
  bool complete = false;
};

void find_all(const std::shared_ptr<Findings>& findings,
              const std::vector<config::Endpoint>& servers, const config::Resolver& settings) {
  for (const config::Endpoint& server : servers) {
    std::vector<net::Address> addresses;
    std::string error;
    try {
      addresses = resolve_server(server, settings);
    } catch (const std::runtime_error& e) {
      error = e.what();
    }
    const std::lock_guard lock(findings->mutex);
    if (error.empty()) {
      findings->found[server.text()] = std::move(addresses);
    } else {
      findings->errors[server.text()] = std::move(error);
    }
  }
  const std::lock_guard lock(findings->mutex);
  findings->complete = true;
  findings->changed.notify_one();
}

// Each once, however many upstreams have it.
std::vector<config::Endpoint> names_in(const config::Config& config) {
  std::vector<config::Endpoint> names;
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      if (!server.address.is(config::AddressKind::HostName)) continue;
      if (std::find(names.begin(), names.end(), server.address) == names.end()) {
        names.push_back(server.address);
      }
    }
  }
  return names;
}

}  // namespace

class Names::Followed final : private net::ResolveHandler, private event::TimerHandler {
 public:
  Followed(Names& names, std::string configured, const config::AddressSyntax& syntax)
      : text(std::move(configured)),
        names_(names),
        host_(syntax.host),
        port_(syntax.port),
        timer_(*this) {
    ask_in(Duration(0));
  }
  ~Followed() {
    names_.resolver_->forget(*this);
    names_.loop_.runtime().cancel(timer_);
  }

  const std::string text;  // in the configuration
  uint32_t failures = 0;   // in a row

  void ask_in(Duration after) { names_.loop_.runtime().arm(timer_, after); }

 private:
  void ask() { names_.resolver_->ask(host_, port_, *this); }
  void on_timer(event::Timer&) override { ask(); }
  void on_resolved(const net::Resolution& found) override { names_.update(*this, found); }

  Names& names_;
  const std::string host_;
  const uint16_t port_;
  event::Timer timer_;
};

Names::Names(event::Loop& loop, stats::ProcessStats& stats, NamesObserver& observer)
    : loop_(loop), stats_(stats), observer_(observer) {}

Names::~Names() = default;

AddressTable Names::resolve(const config::Config& config) const {
  AddressTable table;
  for (const config::Upstream& upstream : config.upstreams) {
    for (size_t i = 0; i < upstream.servers.size(); ++i) {
      const config::Endpoint& server = upstream.servers[i].address;
      if (table.contains(server.text())) continue;
      config::about_setting("upstreams." + upstream.name + ".servers[" + std::to_string(i) + "]",
                            [&] { table[server.text()] = resolve(server, config.resolver); });
    }
  }
  return table;
}

AddressTable Names::resolve_at_start(const config::Config& config) const {
  if (!config.resolver.enabled) return resolve(config);
  AddressTable table;
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      const bool name = server.address.is(config::AddressKind::HostName);
      if (!name) table[server.address.text()] = {net::Address::of(server.address)};
    }
  }
  const std::vector<config::Endpoint> names = names_in(config);
  if (names.empty()) return table;
  const auto findings = std::make_shared<Findings>();
  // Left behind if a name server does not answer: nothing can call it back.
  std::thread([findings, names, settings = config.resolver] {
    event::leave_signals_to_main_thread();
    find_all(findings, names, settings);
  }).detach();
  std::unique_lock lock(findings->mutex);
  findings->changed.wait_for(lock, kPatience, [&] { return findings->complete; });
  for (const config::Endpoint& name : names) {
    const std::string& text = name.text();
    std::vector<net::Address>& addresses = table[text];
    if (const auto found = findings->found.find(text); found != findings->found.end()) {
      addresses = found->second;
      continue;
    }
    const auto error = findings->errors.find(text);
    log_warn("names", text, " is not known yet: ",
             error != findings->errors.end() ? error->second : "no answer from a name server",
             "; it is asked for again, and its requests are answered with 503 until then");
  }
  return table;
}

std::vector<net::Address> Names::resolve(const config::Endpoint& server,
                                         const config::Resolver& settings) const {
  if (!server.is(config::AddressKind::HostName)) return {net::Address::of(server)};
  const auto known = table_.find(server.text());
  if (settings.enabled && known != table_.end()) return known->second;
  return resolve_server(server, settings);
}

std::vector<net::Address> resolve_server(const config::Endpoint& server,
                                         const config::Resolver& settings) {
  if (settings.nameservers.empty()) return net::resolve(server.text());
  const config::AddressSyntax& name = *server.syntax();
  net::Resolution found = net::resolve_now(settings.nameservers, name.host, name.port);
  if (found.addresses.empty()) {
    throw std::runtime_error("cannot resolve '" + name.host + "': " + found.error);
  }
  return std::move(found.addresses);
}

void Names::follow(const config::Config& config, AddressTable table) {
  table_ = std::move(table);
  settings_ = config.resolver;
  followed_.clear();
  resolver_.reset();
  if (!settings_.enabled) return;
  resolver_ = std::make_unique<net::Resolver>(loop_, settings_.nameservers);
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      const std::string& text = server.address.text();
      const auto same = [&text](const Followed& name) { return name.text == text; };
      if (!server.address.is(config::AddressKind::HostName)) continue;
      if (std::any_of(followed_.begin(), followed_.end(), same)) continue;
      followed_.emplace_back(*this, text, *server.address.syntax());
    }
  }
}

void Names::update(Followed& name, const net::Resolution& found) {
  const auto count = [&](stats::NameResult result) { stats_.name_resolutions[result].add(); };
  std::vector<net::Address>& known = table_[name.text];
  if (found.addresses.empty()) {
    count(stats::NameResult::Failed);
    if (name.failures == 0 && !known.empty()) {
      log_warn("names", name.text, ": ", found.error, "; it keeps ", listed(known));
    }
    const Duration usual = kAgainAfter * (1 << std::min(name.failures, 4U));
    const Duration again = known.empty() ? kUnknownAgainAfter : usual;
    ++name.failures;
    name.ask_in(
        std::clamp<Duration>(std::min(again, kAgainAtMost), settings_.min_ttl, settings_.max_ttl));
    return;
  }
  if (name.failures > 0 && !known.empty()) {
    log_info("names", name.text, " is resolved again");
  }
  name.failures = 0;
  name.ask_in(std::clamp<Duration>(found.ttl, settings_.min_ttl, settings_.max_ttl));
  std::vector<net::Address> now = merged(known, found);
  if (now == known) {
    count(stats::NameResult::Unchanged);
    return;
  }
  count(stats::NameResult::Changed);
  if (known.empty()) {
    log_info("names", name.text, " is ", listed(now));
  } else {
    log_info("names", name.text, " is ", listed(now), " now; it was ", listed(known));
  }
  known = std::move(now);
  observer_.on_names_changed();
}

}  // namespace berth::server
