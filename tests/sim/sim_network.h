// net::Transport and net::Network on links in memory, with the readiness of an edge-triggered
// epoll.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/net/network.h"
#include "proxy/net/transport.h"
#include "tests/sim/link.h"

namespace berth::sim {

class SimTransport;

// The transports of one worker that have something to report, in no particular order.
class ReadyList {
 public:
  bool empty() const { return transports_.empty(); }
  size_t size() const { return transports_.size(); }
  void add(SimTransport& transport) { transports_.push_back(&transport); }
  void remove(SimTransport& transport) { std::erase(transports_, &transport); }
  SimTransport& take(size_t at);

 private:
  std::vector<SimTransport*> transports_;
};

// What becomes of a connect(): decided by the server that it is meant for.
struct ConnectFate {
  enum class Kind : uint8_t { Stands, Fails, FailsAtOnce, Silence };
  Kind kind = Kind::Stands;
  CloseReason reason = CloseReason::None;
  Duration after{};
};

// The proxy's end of a link.
class SimTransport final : public net::Transport, private EndObserver {
 public:
  enum class Stage : uint8_t { Connecting, Open, Failed };

  SimTransport(Link& link, Stage stage);
  ~SimTransport() override;

  net::IoResult read(char* into, size_t size) override;
  net::IoResult peek(char* into, size_t size) override;
  net::IoResult write(const iovec* parts, int count) override;
  void shutdown_write() override;
  net::Probe probe() override;
  ConnectResult finish_connect() override;
  uint64_t bytes_acked() const override;
  // To what drains a connection that the proxy wants to close.
  void hand_to(net::TransportHandler& handler) override {
    handler_ = &handler;
    link_.given_up = true;
  }
  const net::Security* security() const override { return secured_ ? &security_ : nullptr; }
  // From now on it is a TLS one, and reports to `handler`.
  void secure(const std::string& settings, net::TransportHandler& handler);
  void abort_on_close() override { abort_ = true; }
  void detach() override;

  void attach(ReadyList& ready, net::TransportHandler& handler);
  void connected(ConnectFate fate);
  // Reports what is to be reported. Thread of the worker, so to speak.
  void report();

  Link& link() { return link_; }
  Stage stage() const { return stage_; }

  // Told when the proxy closes it.
  class Observer {
   public:
    virtual void on_transport_gone(SimTransport& transport) = 0;

   protected:
    ~Observer() = default;
  };
  bool connecting() const { return stage_ == Stage::Connecting; }
  void observe(Observer* observer) { observer_ = observer; }
  // A report without a reason, as the kernel may make one.
  void disturb() { on_edge(link_.near()); }

 private:
  void on_edge(End& end) override;
  void check_looked();
  void note_idle_close();

  Link& link_;
  Observer* observer_ = nullptr;
  ReadyList* ready_ = nullptr;
  net::TransportHandler* handler_ = nullptr;
  Stage stage_;
  ConnectFate fate_;
  bool listed_ = false;
  bool edge_ = false;  // something has happened since the last report
  bool abort_ = false;
  net::Security security_;
  bool secured_ = false;
  bool end_told_ = false;  // the handler has been told of the peer's FIN
};

// Makes the connections of one worker to the servers.
class Dialer {
 public:
  // A link to the server at that address, and what becomes of it. `tls`: how it is to be secured;
  // nullptr: not at all. nullptr and a reason: it fails at once.
  virtual std::unique_ptr<SimTransport> dial(const net::Address& to, const net::TlsConnector* tls,
                                             CloseReason& failure) = 0;

 protected:
  ~Dialer() = default;
};

class SimNetwork final : public net::Network {
 public:
  SimNetwork(Dialer& dialer, ReadyList& ready, Dice& dice)
      : dialer_(dialer), ready_(ready), dice_(dice) {}

  Result<std::unique_ptr<net::Transport>, CloseReason> connect(
      const net::Address& to, const net::ConnectOptions& options,
      net::TransportHandler& handler) override;
  bool attach(net::Transport& transport, net::TransportHandler& handler) override;
  // This many of a thousand attachments fail.
  void set_attach_failures(uint32_t permille) { attach_failures_ = permille; }

 private:
  Dialer& dialer_;
  ReadyList& ready_;
  Dice& dice_;
  uint32_t attach_failures_ = 0;
};

}  // namespace berth::sim
