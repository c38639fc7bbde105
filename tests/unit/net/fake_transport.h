// The transport of tests without sockets: what one side writes lies in a FakePipe until the test,
// or another FakeTransport, reads it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>

#include "proxy/net/address.h"
#include "proxy/net/transport.h"

namespace berth::net {

// One direction.
struct FakePipe {
  // What one of the next writes does.
  struct Turn {
    IoStatus status;
    size_t most;
  };

  std::string bytes;
  size_t room = SIZE_MAX;  // how much more is taken
  bool fin = false;
  bool rst = false;
  std::deque<Turn> turns;  // once used up, `room` decides alone
  int writes = 0;
  size_t most_parts = 0;
};

// The other end of a FakeTransport, as its owner sees it. Outlives the transport.
struct FakePeer {
  FakePeer() = default;
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;

  FakePipe in;   // for the proxy
  FakePipe out;  // from the proxy
  std::string& received = out.bytes;
  std::string& to_read = in.bytes;
  bool& fin = in.fin;         // the peer has shut down its side
  bool& rst = in.rst;         // the peer has reset the connection
  bool& proxy_fin = out.fin;  // the proxy has shut down its side
  size_t& room = out.room;    // how much more the peer takes

  Address address;
  bool connected = false;  // connect() has come to an end
  CloseReason refused = CloseReason::None;
  bool closed = false;       // the proxy has closed it
  bool aborted = false;      // with RST
  bool lets_go = false;      // closes as soon as the proxy wants to close, as Node does
  uint64_t acked = 0;        // bytes that the peer's kernel has acknowledged
  bool acknowledges = true;  // what is written
  int asked_for_acked = 0;   // how often the proxy wanted to know: a system call each
  TransportHandler* handler = nullptr;
};

class FakeTransport final : public Transport {
 public:
  // Its peer is played by the test.
  explicit FakeTransport(FakePeer& peer) : in_(peer.in), out_(peer.out), peer_(&peer) {}
  // Connected already; another FakeTransport has the other ends.
  FakeTransport(FakePipe& in, FakePipe& out) : in_(in), out_(out) {}
  ~FakeTransport() override {
    if (peer_ != nullptr) {
      peer_->closed = true;
    } else {
      out_.fin = true;
    }
  }

  IoResult read(char* into, size_t size) override {
    const IoResult seen = peek(into, size);
    in_.bytes.erase(0, seen.bytes);
    return seen;
  }
  IoResult peek(char* into, size_t size) override {
    if (in_.rst) return {IoStatus::Reset, 0};
    if (in_.bytes.empty()) return {in_.fin ? IoStatus::Eof : IoStatus::Again, 0};
    const size_t n = std::min(size, in_.bytes.size());
    std::memcpy(into, in_.bytes.data(), n);
    return {IoStatus::Ok, n, n == size};
  }
  IoResult write(const iovec* parts, int count) override {
    ++out_.writes;
    out_.most_parts = std::max(out_.most_parts, static_cast<size_t>(count));
    if (in_.rst) return {IoStatus::Reset, 0};
    FakePipe::Turn turn{IoStatus::Ok, SIZE_MAX};
    const bool planned = !out_.turns.empty();
    if (planned) {
      turn = out_.turns.front();
      out_.turns.pop_front();
    }
    if (turn.status != IoStatus::Ok) return {turn.status, 0};
    size_t sent = 0;
    for (int i = 0; i < count; ++i) {
      const size_t n = std::min({parts[i].iov_len, out_.room, turn.most - sent});
      out_.bytes.append(static_cast<const char*>(parts[i].iov_base), n);
      if (out_.room != SIZE_MAX) out_.room -= n;
      sent += n;
    }
    if (peer_ != nullptr && peer_->acknowledges) peer_->acked += sent;
    const bool full = sent == 0 && count > 0 && !planned;
    return {full ? IoStatus::Again : IoStatus::Ok, sent};
  }
  void shutdown_write() override { out_.fin = true; }
  Probe probe() override {
    if (in_.rst) return Probe::Reset;
    if (!in_.bytes.empty()) return Probe::Data;
    return in_.fin ? Probe::Eof : Probe::Quiet;
  }
  ConnectResult finish_connect() override {
    if (peer_ == nullptr) return {};
    if (!peer_->connected) return {IoStatus::Again, CloseReason::None};
    if (peer_->refused != CloseReason::None) return {IoStatus::Reset, peer_->refused};
    return {};
  }
  uint64_t bytes_acked() const override {
    if (peer_ == nullptr) return UINT64_MAX;
    ++peer_->asked_for_acked;
    return peer_->acked;
  }
  // To what drains the connection: the proxy wants to close it.
  void hand_to(TransportHandler& handler) override {
    if (peer_ == nullptr) return;
    peer_->handler = &handler;
    peer_->fin = peer_->fin || peer_->lets_go;
  }
  void abort_on_close() override {
    if (peer_ != nullptr) peer_->aborted = true;
  }
  void detach() override {}

 private:
  FakePipe& in_;
  FakePipe& out_;
  FakePeer* peer_ = nullptr;  // nullptr: another transport is
};

}  // namespace berth::net
