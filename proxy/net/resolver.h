// Host names to addresses by DNS, with the time for which they hold. The only user of c-ares.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/time.h"
#include "proxy/event/loop.h"
#include "proxy/net/address.h"

struct ares_addrinfo;
struct ares_channeldata;

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

// Asks over UDP, and over TCP where an answer does not fit. Thread: the loop's.
class Resolver {
 public:
  // `nameservers`: "127.0.0.1:53"; none: those of /etc/resolv.conf, with its search domains. Names
  // in /etc/hosts are not asked for. `loop` outlives it. Throws std::runtime_error.
  Resolver(event::Loop& loop, const std::vector<std::string>& nameservers);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // What is still open is forgotten.
  ~Resolver();

  // Asks for the IPv4 and IPv6 addresses of `host`; they will have `port`. The handler hears of
  // them once, perhaps from within this call.
  void ask(const std::string& host, uint16_t port, ResolveHandler& handler);
  // What it asked for does not interest the handler any more.
  void forget(ResolveHandler& handler);

 private:
  struct ChannelDeleter {
    void operator()(ares_channeldata* channel) const;
  };
  using Channel = std::unique_ptr<ares_channeldata, ChannelDeleter>;
  struct Ask;
  struct Socket;

  Channel make_channel(const char* lookups, const std::vector<std::string>& nameservers);
  Resolution find_in_hosts(const std::string& host, uint16_t port);
  static void on_socket_state(void* self, int fd, int readable, int writable);
  static void on_socket_event(evutil_socket_t fd, short what, void* self);
  static void on_timer(evutil_socket_t, short, void* self);
  static void on_answer(void* question, int status, int, ares_addrinfo* info);
  void process(int readable, int writable);
  void answered(Ask& ask);

  event::Loop& loop_;
  struct event timer_;                              // of c-ares
  std::map<int, std::unique_ptr<Socket>> sockets_;  // c-ares's, by descriptor
  std::list<Ask> asks_;                             // open
  Channel hosts_;                                   // asks /etc/hosts, and answers at once
  Channel dns_;
};

// Asks and waits: for start-up.
Resolution resolve_now(const std::vector<std::string>& nameservers, const std::string& host,
                       uint16_t port);

}  // namespace berth::net
