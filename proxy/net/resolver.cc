#include "proxy/net/resolver.h"

#include <event2/dns.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace berth::net {

// Two questions, one for each family. Lives until both are answered, for which libevent may need
// longer than the resolver lives.
struct Resolver::Ask {
  Resolver* resolver;       // nullptr: it is gone
  ResolveHandler* handler;  // nullptr: nobody is interested any more
  uint16_t port;
  int open = 0;
  bool starting = true;
  uint32_t ttl = UINT32_MAX;
  Resolution found{};
};

namespace {

// That a host has no address of a family is an answer; anything else is none.
bool is_answer(int result) {
  return result == DNS_ERR_NONE || result == DNS_ERR_NOTEXIST || result == DNS_ERR_NODATA;
}

void add_once(std::vector<Address>& to, const Address& address) {
  if (std::find(to.begin(), to.end(), address) == to.end()) to.push_back(address);
}

bool same_host(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

}  // namespace

Resolver::Resolver(event::Loop& loop, const std::vector<std::string>& nameservers,
                   std::string hosts_file)
    : loop_(loop),
      hosts_file_(std::move(hosts_file)),
      dns_(evdns_base_new(loop.base(), EVDNS_BASE_DISABLE_WHEN_INACTIVE)) {
  if (dns_ == nullptr) throw std::runtime_error("cannot set up name resolution");
  for (const std::string& nameserver : nameservers) {
    evdns_base_nameserver_ip_add(dns_, nameserver.c_str());
  }
  if (nameservers.empty()) {
    evdns_base_resolv_conf_parse(dns_, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, "/etc/resolv.conf");
  }
}

Resolver::~Resolver() {
  for (Ask* ask : asks_) ask->resolver = nullptr;
  evdns_base_free(dns_, 1);  // answers what is open with a failure, in the loop's next turn
}

void Resolver::ask(const std::string& host, uint16_t port, ResolveHandler& handler) {
  Resolution known{.addresses = find_in_hosts(hosts_file_, host, port), .ttl = Duration::max()};
  if (!known.addresses.empty()) {
    handler.on_resolved(known);
    return;
  }
  Ask& ask = *asks_.emplace_back(new Ask{.resolver = this, .handler = &handler, .port = port});
  // Each of the two is answered in any order, and cannot tell its family when it has failed.
  const auto v4 = [](int result, char type, int count, int ttl, void* addresses, void* of) {
    if (!is_answer(result)) static_cast<Ask*>(of)->found.v4_unknown = true;
    on_answer(result, type, count, ttl, addresses, of);
  };
  const auto v6 = [](int result, char type, int count, int ttl, void* addresses, void* of) {
    if (!is_answer(result)) static_cast<Ask*>(of)->found.v6_unknown = true;
    on_answer(result, type, count, ttl, addresses, of);
  };
  ask.open = 2;
  if (evdns_base_resolve_ipv4(dns_, host.c_str(), 0, v4, &ask) == nullptr) {
    --ask.open;
    ask.found.v4_unknown = true;
  }
  if (evdns_base_resolve_ipv6(dns_, host.c_str(), 0, v6, &ask) == nullptr) {
    --ask.open;
    ask.found.v6_unknown = true;
  }
  ask.starting = false;
  if (ask.open == 0) answered(ask);
}

void Resolver::forget(ResolveHandler& handler) {
  for (Ask* ask : asks_) {
    if (ask->handler == &handler) ask->handler = nullptr;
  }
}

void Resolver::on_answer(int result, char type, int count, int ttl, void* addresses, void* of) {
  Ask& ask = *static_cast<Ask*>(of);
  if (ask.resolver == nullptr) {
    if (--ask.open == 0) delete &ask;
    return;
  }
  ask.resolver->loop_.begin_turn();
  if (result == DNS_ERR_NONE && (type == DNS_IPv4_A || type == DNS_IPv6_AAAA)) {
    const size_t size = type == DNS_IPv4_A ? 4 : 16;
    for (int i = 0; i < count; ++i) {
      const char* bytes = static_cast<const char*>(addresses) + size * static_cast<size_t>(i);
      add_once(ask.found.addresses,
               Address::from_ip(type == DNS_IPv4_A ? AddressKind::V4 : AddressKind::V6, bytes,
                                ask.port));
    }
    if (count > 0) ask.ttl = std::min(ask.ttl, static_cast<uint32_t>(std::max(ttl, 0)));
  } else if (result != DNS_ERR_NODATA || ask.found.error.empty()) {
    ask.found.error = evdns_err_to_string(result);
  }
  if (--ask.open == 0 && !ask.starting) ask.resolver->answered(ask);
}

void Resolver::answered(Ask& ask) {
  ask.found.ttl = std::chrono::seconds(ask.ttl);
  if (ask.found.addresses.empty() && ask.found.error.empty()) {
    ask.found.error = "no name server can be asked";
  }
  ResolveHandler* handler = ask.handler;
  const Resolution found = std::move(ask.found);
  asks_.remove(&ask);
  delete &ask;
  if (handler != nullptr) handler->on_resolved(found);
}

Resolution resolve_now(const std::vector<std::string>& nameservers, const std::string& host,
                       uint16_t port) {
  class Answer final : public ResolveHandler {
   public:
    explicit Answer(event::Loop& loop) : loop_(loop) {}
    void on_resolved(const Resolution& resolution) override {
      resolution_ = resolution;
      done_ = true;
      loop_.stop();
    }
    bool done() const { return done_; }
    Resolution take() { return std::move(resolution_); }

   private:
    event::Loop& loop_;
    Resolution resolution_;
    bool done_ = false;
  };
  event::Loop loop;
  Resolver resolver(loop, nameservers);
  Answer answer(loop);
  resolver.ask(host, port, answer);
  if (!answer.done()) loop.run();
  return answer.take();
}

std::vector<Address> find_in_hosts(const std::string& file, std::string_view host, uint16_t port) {
  std::vector<Address> found;
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string ip;
    words >> ip;
    const bool v6 = ip.find(':') != std::string::npos;
    const auto address = Address::parse((v6 ? "[" + ip + "]:" : ip + ":") + std::to_string(port));
    if (!address) continue;
    for (std::string name; words >> name;) {
      if (same_host(name, host)) add_once(found, *address);
    }
  }
  return found;
}

}  // namespace berth::net
