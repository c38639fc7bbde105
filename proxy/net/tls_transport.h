// A TLS session as a Transport, on top of another one (a socket's, or one in memory).
//
// OpenSSL sees no socket: it reads from and writes to memory. One read of the transport below
// fetches up to 64 KiB of ciphertext, many records; what one write() encrypts is collected and goes
// out in one. Idle, a session holds no buffers.
//
// Bytes count as accepted only when their ciphertext is in the kernel: so "all sent" means the same
// with and without TLS, back-pressure needs no second rule, and nothing is lost at close. What was
// not accepted must be offered again unchanged, because it may have been encrypted already.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/net/byte_buffer.h"
#include "proxy/net/server_tls_failure.h"
#include "proxy/net/tls_types.h"
#include "proxy/net/transport.h"

namespace berth::net {

// Thread: that of the loop which the transport below is attached to.
class TlsTransport final : public Transport, private TransportHandler {
 public:
  enum class Side : uint8_t { Server, Client };

  // `lower` is attached, or connecting; `owner` is what the session's callbacks use. Reports to
  // `handler`.
  TlsTransport(Side side, std::unique_ptr<Transport> lower, SslPtr ssl,
               std::shared_ptr<const void> owner, TransportHandler& handler);
  // Says goodbye (close_notify), unless the connection is to be aborted or has broken.
  ~TlsTransport() override;

  IoResult read(char* into, size_t size) override;
  IoResult peek(char* into, size_t size) override;
  IoResult write(const iovec* parts, int count) override;
  void shutdown_write() override;
  Probe probe() override;
  // After PlainHttpToTls the transport carries the client's bytes as they are, so that it can be
  // told.
  ConnectResult finish_connect() override;
  // TLS has bytes of its own on the way: what the kernel knows says nothing about a request.
  uint64_t bytes_acked() const override { return UINT64_MAX; }
  const Security* security() const override;
  std::string_view failure_detail() const override;
  CloseReason refused() const override;
  bool peer_broke_rules() const override { return peer_ == Peer::BreaksRules; }
  Address local_address() const override { return lower_->local_address(); }
  void hand_to(TransportHandler& handler) override { handler_ = &handler; }
  void charge_to(MemoryAccount* account) override;
  Transport& lowest() override { return lower_->lowest(); }
  void abort_on_close() override;
  void detach() override { lower_->detach(); }

 private:
  enum class State : uint8_t { Connecting, Handshake, Open, Clear, Broken };
  // The peer's side of the transport below. Fin: its FIN has been reported, and not yet read.
  enum class LowerEnd : uint8_t { Open, Fin, Eof, Reset };
  // Our side. Wanted: our FIN follows what cipher_out_ holds.
  enum class Goodbye : uint8_t { Unsaid, Wanted, Said, Aborted };
  // What the peer has shown to be. BreaksRules: after the handshake.
  enum class Peer : uint8_t { Silent, Speaks, PlainHttp, BreaksRules };
  friend struct TlsBio;
  class Operation;

  void on_ready(Ready ready) override;

  // For the BIO, during an Operation.
  bool supply(char* into, size_t size, size_t& got, bool& retry);
  bool collect(std::string_view bytes);

  static void on_aside(const SSL* ssl, int where, int);
  IoResult failed(int result);
  ConnectResult handshake_failed();
  void note_failure();
  void established();
  bool send_collected();
  bool flush_pending();
  size_t newly_accepted();
  size_t encrypt(const iovec* parts, int count, size_t skip);
  void keep_input(ByteBuffer cipher);
  void keep_output(std::string_view cipher);
  bool lower_ended() const { return lower_end_ == LowerEnd::Eof || lower_end_ == LowerEnd::Reset; }
  bool broken() const { return state_ == State::Broken; }

  std::unique_ptr<Transport> lower_;
  TransportHandler* handler_;
  std::shared_ptr<const void> owner_;
  SslPtr ssl_;
  MemoryAccount* account_ = nullptr;
  ByteBuffer cipher_in_;    // ciphertext that has been read, and not yet used
  ByteBuffer cipher_out_;   // ciphertext that the transport below has not taken yet
  std::string_view input_;  // during an Operation: ciphertext at hand
  // The plaintext of the last write() whose ciphertext was not all taken: counted as accepted only
  // as its ciphertext goes.
  struct Batch {
    size_t plain = 0;
    size_t cipher = 0;
    size_t first = 0;     // ciphertext of its first record
    size_t sent = 0;      // ciphertext
    size_t reported = 0;  // plaintext
  };
  Batch batch_;
  Security security_;
  std::unique_ptr<ServerTlsFailure> failure_;  // towards a server
  const Side side_;
  State state_;
  uint16_t asides_ = 0;    // messages of TLS itself since the handshake
  size_t read_room_ = 0;   // during an Operation: ciphertext to ask for at a time
  bool may_read_ = false;  // during an Operation: the transport below may hold more
  LowerEnd lower_end_ = LowerEnd::Open;
  Goodbye goodbye_ = Goodbye::Unsaid;
  Peer peer_ = Peer::Silent;
};

}  // namespace berth::net
