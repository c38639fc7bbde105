#include "proxy/net/socket_transport.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "proxy/net/connect_error.h"

namespace berth::net {

bool SocketTransport::attach(event::Loop& loop, TransportHandler& handler) {
  handler_ = &handler;
  return attach_again(loop);
}

bool SocketTransport::attach_again(event::Loop& loop) {
  loop_ = &loop;
  event_assign(&event_, loop.base(), fd_.get(), EV_ET | EV_PERSIST | EV_READ | EV_WRITE | EV_CLOSED,
               on_event, this);
  constexpr timeval kPatience{
      .tv_sec = 0,
      .tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(Dial::kPatience).count()};
  const bool impatient = dial_ != nullptr && dial_->impatient();
  attached_ = event_add(&event_, impatient ? &kPatience : nullptr) == 0;
  return attached_;
}

void SocketTransport::detach() {
  if (!attached_) return;
  event_del(&event_);
  attached_ = false;
}

void SocketTransport::on_event(evutil_socket_t, short what, void* self) {
  auto& transport = *static_cast<SocketTransport*>(self);
  transport.loop_->begin_turn();
  const bool timeout = (what & EV_TIMEOUT) != 0;
  transport.out_of_patience_ = timeout;
  transport.handler_->on_ready({.readable = (what & (EV_READ | EV_CLOSED)) != 0,
                                .writable = (what & EV_WRITE) != 0 || timeout,
                                .peer_closed = (what & EV_CLOSED) != 0});
}

IoResult SocketTransport::read(char* into, size_t size) {
  return receive(into, size, 0);
}

IoResult SocketTransport::peek(char* into, size_t size) {
  return receive(into, size, MSG_PEEK);
}

IoResult SocketTransport::receive(char* into, size_t size, int flags) {
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), into, size, flags);
    if (got > 0) {
      const auto bytes = static_cast<size_t>(got);
      return {IoStatus::Ok, bytes, bytes == size};
    }
    if (got == 0) return {IoStatus::Eof, 0};
    if (errno == EAGAIN) return {IoStatus::Again, 0};
    if (errno != EINTR) return {IoStatus::Reset, 0};
  }
}

IoResult SocketTransport::write(const iovec* parts, int count) {
  for (;;) {
    ssize_t sent = 0;
    if (count == 1) {
      sent = ::send(fd_.get(), parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(parts);
      message.msg_iovlen = static_cast<size_t>(count);
      sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    }
    if (sent >= 0) return {IoStatus::Ok, static_cast<size_t>(sent)};
    if (errno == EAGAIN) return {IoStatus::Again, 0};
    if (errno != EINTR) return {IoStatus::Reset, 0};
  }
}

void SocketTransport::shutdown_write() {
  ::shutdown(fd_.get(), SHUT_WR);
}

Probe SocketTransport::probe() {
  char byte;
  switch (peek(&byte, 1).status) {
    case IoStatus::Ok:
      return Probe::Data;
    case IoStatus::Again:
      return Probe::Quiet;
    case IoStatus::Eof:
      return Probe::Eof;
    case IoStatus::Reset:
      break;
  }
  return Probe::Reset;
}

Transport::ConnectResult SocketTransport::finish_connect() {
  const ConnectResult result = look_at_connect();
  switch (result.status) {
    case IoStatus::Again:
      return out_of_patience_ && dial_ != nullptr && dial_->impatient()
                 ? connect_elsewhere(CloseReason::None)
                 : result;
    case IoStatus::Ok:
      if (dial_ != nullptr) {
        dial_->stands();
        dial_.reset();
        event_remove_timer(&event_);
      }
      return send_first_bytes();
    case IoStatus::Eof:
    case IoStatus::Reset:
      break;
  }
  return dial_ != nullptr ? connect_elsewhere(result.reason) : result;
}

// Within a callback of its event, which libevent does not touch any more then.
Transport::ConnectResult SocketTransport::connect_elsewhere(CloseReason failed) {
  auto fd = dial_->next(failed);
  if (!fd) return {IoStatus::Reset, fd.error()};
  detach();
  fd_ = std::move(*fd);
  if (!attach_again(*loop_)) return {IoStatus::Reset, CloseReason::NoLocalResources};
  return {IoStatus::Again, CloseReason::None};
}

Transport::ConnectResult SocketTransport::look_at_connect() const {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return {IoStatus::Reset, reason_for_connect_error(error)};
  sockaddr_storage peer;
  socklen_t peer_length = sizeof peer;
  if (::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0) {
    return {};
  }
  if (errno == ENOTCONN) return {IoStatus::Again, CloseReason::None};
  return {IoStatus::Reset, reason_for_connect_error(errno)};
}

// They fit into the empty buffer of a new socket; if not, something is wrong with it.
Transport::ConnectResult SocketTransport::send_first_bytes() {
  if (first_bytes_ == nullptr) return {};
  const iovec part{first_bytes_->data(), first_bytes_->size()};
  const IoResult sent = write(&part, 1);
  const bool all = sent.status == IoStatus::Ok && sent.bytes == part.iov_len;
  first_bytes_.reset();
  if (all) return {};
  return {IoStatus::Reset, CloseReason::ConnectFailed};
}

Address SocketTransport::local_address() const {
  return Address::of_socket(fd_.get());
}

uint64_t SocketTransport::bytes_acked() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return UINT64_MAX;
  if (length < offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) {
    return UINT64_MAX;
  }
  return info.tcpi_bytes_acked;
}

void SocketTransport::abort_on_close() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace berth::net
