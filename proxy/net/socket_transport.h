// Transport on a plain socket: direct recv and sendmsg, one edge-triggered event for both
// directions, added once.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <memory>
#include <string>

#include "proxy/base/unique_fd.h"
#include "proxy/event/loop.h"
#include "proxy/net/dial.h"
#include "proxy/net/transport.h"

namespace berth::net {

class SocketTransport final : public Transport {
 public:
  // `fd` is non-blocking. Not attached yet. `dial`: where it connects to instead if that fails.
  explicit SocketTransport(UniqueFd fd, std::unique_ptr<Dial> dial = nullptr)
      : fd_(std::move(fd)), dial_(std::move(dial)) {}
  SocketTransport(const SocketTransport&) = delete;
  SocketTransport& operator=(const SocketTransport&) = delete;
  ~SocketTransport() override { detach(); }

  // False if the kernel refuses to watch the socket (out of memory or watches).
  [[nodiscard]] bool attach(event::Loop& loop, TransportHandler& handler);
  // To another loop, after detach(); the handler stays.
  [[nodiscard]] bool attach_again(event::Loop& loop);
  // What goes out as soon as a connection that is being made stands.
  void send_first(const std::string& bytes) {
    if (!bytes.empty()) first_bytes_ = std::make_unique<std::string>(bytes);
  }

  IoResult read(char* into, size_t size) override;
  IoResult peek(char* into, size_t size) override;
  IoResult write(const iovec* parts, int count) override;
  void shutdown_write() override;
  Probe probe() override;
  ConnectResult finish_connect() override;
  uint64_t bytes_acked() const override;
  Address local_address() const override;
  void hand_to(TransportHandler& handler) override { handler_ = &handler; }
  void abort_on_close() override;
  void detach() override;

  int fd() const { return fd_.get(); }

 private:
  ConnectResult look_at_connect() const;
  ConnectResult connect_elsewhere(CloseReason failed);
  ConnectResult send_first_bytes();
  IoResult receive(char* into, size_t size, int flags);
  static void on_event(evutil_socket_t, short what, void* self);

  UniqueFd fd_;
  std::unique_ptr<Dial> dial_;  // while connecting
  bool out_of_patience_ = false;
  bool attached_ = false;
  event::Loop* loop_ = nullptr;
  TransportHandler* handler_ = nullptr;
  std::unique_ptr<std::string> first_bytes_;
  struct event event_;
};

}  // namespace berth::net
