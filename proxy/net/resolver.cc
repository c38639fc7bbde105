#include "proxy/net/resolver.h"

#include <ares.h>
#include <netinet/in.h>

#include <algorithm>
#include <climits>
#include <stdexcept>
#include <utility>

namespace berth::net {

namespace {

// For one question to one name server.
constexpr int kPatienceMs = 2000;
constexpr int kTries = 3;
// What fits a packet on every path (DNS flag day 2020).
constexpr int kLargestDatagram = 1232;

// That a host has no address of a family is an answer; anything else is none.
bool is_answer(int status) {
  return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

void add_once(std::vector<Address>& to, const Address& address) {
  if (std::find(to.begin(), to.end(), address) == to.end()) to.push_back(address);
}

Address address_of(const ares_addrinfo_node& node, uint16_t port) {
  if (node.ai_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(node.ai_addr);
    return Address::from_ip(AddressKind::V4, &v4->sin_addr, port);
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(node.ai_addr);
  return Address::from_ip(AddressKind::V6, &v6->sin6_addr, port);
}

std::string comma_separated(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out.append(out.empty() ? "" : ",").append(text);
  return out;
}

// The library is initialised once, before there are threads that use it, and never given up.
void initialise() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status != ARES_SUCCESS) throw std::runtime_error(ares_strerror(status));
}

}  // namespace

// Two questions, one for each family, answered in any order.
struct Resolver::Ask {
  struct Question {
    Ask* of;
    bool Resolution::*unknown;
  };

  Ask(Resolver& of, ResolveHandler& whose, uint16_t at)
      : resolver(&of), handler(&whose), port(at) {}
  Ask(const Ask&) = delete;  // the questions know where it is
  Ask& operator=(const Ask&) = delete;

  Resolver* resolver;
  ResolveHandler* handler;  // nullptr: nobody is interested any more
  uint16_t port;
  Question v4{this, &Resolution::v4_unknown};
  Question v6{this, &Resolution::v6_unknown};
  int open = 2;
  int ttl = INT_MAX;
  Resolution found{};
};

struct Resolver::Socket {
  Socket(Resolver& of, int fd, short what) {
    event_assign(&event, of.loop_.base(), fd, what, on_socket_event, &of);
    event_add(&event, nullptr);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { event_del(&event); }

  struct event event;
};

void Resolver::ChannelDeleter::operator()(ares_channeldata* channel) const {
  ares_destroy(channel);
}

Resolver::Resolver(event::Loop& loop, const std::vector<std::string>& nameservers) : loop_(loop) {
  initialise();
  event_assign(&timer_, loop.base(), -1, 0, on_timer, this);
  hosts_ = make_channel("f", {});
  dns_ = make_channel("b", nameservers);
}

// (c-ares answers what is open with a failure.)
Resolver::~Resolver() {
  for (Ask& ask : asks_) ask.handler = nullptr;
  dns_.reset();
  hosts_.reset();
  event_del(&timer_);
}

Resolver::Channel Resolver::make_channel(const char* lookups,
                                         const std::vector<std::string>& nameservers) {
  std::string order = lookups;
  ares_options options{};
  options.flags = ARES_FLAG_EDNS;
  options.ednspsz = kLargestDatagram;
  options.timeout = kPatienceMs;
  options.tries = kTries;
  options.lookups = order.data();
  options.sock_state_cb = on_socket_state;
  options.sock_state_cb_data = this;
  int chosen = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
  // Search domains are those of the name servers that they come with.
  if (!nameservers.empty()) chosen |= ARES_OPT_DOMAINS;
  ares_channel made = nullptr;
  int status = ares_init_options(&made, &options, chosen);
  Channel channel(made);
  if (status == ARES_SUCCESS && !nameservers.empty()) {
    status = ares_set_servers_ports_csv(made, comma_separated(nameservers).c_str());
  }
  if (status != ARES_SUCCESS) {
    throw std::runtime_error(std::string("cannot set up name resolution: ") +
                             ares_strerror(status));
  }
  return channel;
}

void Resolver::ask(const std::string& host, uint16_t port, ResolveHandler& handler) {
  const Resolution known = find_in_hosts(host, port);
  if (!known.addresses.empty()) {
    handler.on_resolved(known);
    return;
  }
  Ask& ask = asks_.emplace_back(*this, handler, port);
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_socktype = SOCK_STREAM;
  // The first answer may be there at once, so `ask` is not touched behind the second call.
  hints.ai_family = AF_INET;
  ares_getaddrinfo(dns_.get(), host.c_str(), nullptr, &hints, on_answer, &ask.v4);
  hints.ai_family = AF_INET6;
  ares_getaddrinfo(dns_.get(), host.c_str(), nullptr, &hints, on_answer, &ask.v6);
  process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void Resolver::forget(ResolveHandler& handler) {
  for (Ask& ask : asks_) {
    if (ask.handler == &handler) ask.handler = nullptr;
  }
}

Resolution Resolver::find_in_hosts(const std::string& host, uint16_t port) {
  struct Found {
    uint16_t port;
    Resolution resolution{.addresses = {}, .ttl = Duration::max()};
  } found{port};
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const auto take = [](void* into, int, int, ares_addrinfo* info) {
    if (info == nullptr) return;
    auto& out = *static_cast<Found*>(into);
    for (const auto* node = info->nodes; node != nullptr; node = node->ai_next) {
      add_once(out.resolution.addresses, address_of(*node, out.port));
    }
    ares_freeaddrinfo(info);
  };
  ares_getaddrinfo(hosts_.get(), host.c_str(), nullptr, &hints, take, &found);
  return std::move(found.resolution);
}

// --- c-ares and the loop.

void Resolver::on_socket_state(void* self, int fd, int readable, int writable) {
  auto& resolver = *static_cast<Resolver*>(self);
  resolver.sockets_.erase(fd);
  if (readable == 0 && writable == 0) return;
  const auto what = static_cast<short>(EV_PERSIST | (readable != 0 ? EV_READ : 0) |
                                       (writable != 0 ? EV_WRITE : 0));
  resolver.sockets_.emplace(fd, std::make_unique<Socket>(resolver, fd, what));
}

void Resolver::on_socket_event(evutil_socket_t fd, short what, void* self) {
  auto& resolver = *static_cast<Resolver*>(self);
  resolver.loop_.begin_turn();
  resolver.process((what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                   (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
}

void Resolver::on_timer(evutil_socket_t, short, void* self) {
  auto& resolver = *static_cast<Resolver*>(self);
  resolver.loop_.begin_turn();
  resolver.process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

// Lets c-ares work, and wakes it when it wants to look at its timeouts.
void Resolver::process(int readable, int writable) {
  ares_process_fd(dns_.get(), readable, writable);
  timeval wait{};
  if (ares_timeout(dns_.get(), nullptr, &wait) != nullptr) {
    event_add(&timer_, &wait);
  } else {
    event_del(&timer_);
  }
}

void Resolver::on_answer(void* question, int status, int, ares_addrinfo* info) {
  const auto& [of, unknown] = *static_cast<Ask::Question*>(question);
  Ask& ask = *of;
  if (!is_answer(status)) ask.found.*unknown = true;
  if (info != nullptr) {
    for (const auto* node = info->nodes; node != nullptr; node = node->ai_next) {
      add_once(ask.found.addresses, address_of(*node, ask.port));
      ask.ttl = std::min(ask.ttl, std::max(node->ai_ttl, 0));
    }
    ares_freeaddrinfo(info);
  }
  if (status != ARES_SUCCESS && (status != ARES_ENODATA || ask.found.error.empty())) {
    ask.found.error = ares_strerror(status);
  }
  if (--ask.open == 0) ask.resolver->answered(ask);
}

void Resolver::answered(Ask& ask) {
  ask.found.ttl = std::chrono::seconds(ask.ttl);
  ResolveHandler* const handler = ask.handler;
  const Resolution found = std::move(ask.found);
  asks_.remove_if([&ask](const Ask& one) { return &one == &ask; });
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

}  // namespace berth::net
