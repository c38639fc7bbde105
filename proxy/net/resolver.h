// Host names to addresses by DNS, with the time for which they hold. The only user of evdns.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/time.h"
#include "proxy/event/loop.h"
#include "proxy/net/address.h"

struct evdns_base;

namespace berth::net {

struct Resolution {
  std::vector<Address> addresses;  // none: it failed
  Duration ttl{};
  // Whether the family was asked for in vain: nothing is known of its addresses then.
  bool v4_unknown = false;
  bool v6_unknown = false;
  std::string error{};  // for people, if it failed
};

class ResolveHandler {
 public:
  virtual void on_resolved(const Resolution& resolution) = 0;

 protected:
  ~ResolveHandler() = default;
};

// Thread: the loop's.
class Resolver {
 public:
  // `nameservers`: "127.0.0.1:53"; none: those of /etc/resolv.conf. Names in `hosts_file` are not
  // asked for. `loop` outlives it.
  Resolver(event::Loop& loop, const std::vector<std::string>& nameservers,
           std::string hosts_file = "/etc/hosts");
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // What is still open is forgotten. `loop` frees the rest of it in one of its next turns.
  ~Resolver();

  // Asks for the IPv4 and IPv6 addresses of `host`; they will have `port`. The handler hears of
  // them once, perhaps from within this call.
  void ask(const std::string& host, uint16_t port, ResolveHandler& handler);
  // What it asked for does not interest the handler any more.
  void forget(ResolveHandler& handler);

 private:
  struct Ask;
  static void on_answer(int result, char type, int count, int ttl, void* addresses, void* of);
  void answered(Ask& ask);

  event::Loop& loop_;
  const std::string hosts_file_;
  evdns_base* dns_;
  std::list<Ask*> asks_;  // each lives until its last answer
};

// Asks and waits: for start-up.
Resolution resolve_now(const std::vector<std::string>& nameservers, const std::string& host,
                       uint16_t port);

// The addresses that a file in the format of hosts(5) gives `host`.
std::vector<Address> find_in_hosts(const std::string& file, std::string_view host, uint16_t port);

}  // namespace berth::net
