#include "proxy/net/tls_bio.h"

namespace berth::net {

TlsTransport& TlsBio::transport_of(BIO* bio) {
  return *static_cast<TlsTransport*>(BIO_get_data(bio));
}

int TlsBio::read(BIO* bio, char* into, size_t size, size_t* got) {
  BIO_clear_retry_flags(bio);
  bool retry = false;
  if (transport_of(bio).supply(into, size, *got, retry)) return 1;
  if (retry) BIO_set_retry_read(bio);
  return 0;
}

int TlsBio::write(BIO* bio, const char* bytes, size_t size, size_t* taken) {
  BIO_clear_retry_flags(bio);
  if (!transport_of(bio).collect({bytes, size})) return 0;
  *taken = size;
  return 1;
}

long TlsBio::control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  // OpenSSL tells an end of the stream from a failure by asking.
  if (command == BIO_CTRL_EOF) {
    return transport_of(bio).lower_end_ == TlsTransport::LowerEnd::Eof ? 1 : 0;
  }
  return 0;
}

BIO_METHOD* TlsBio::method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "berth");
    if (m == nullptr) return m;
    BIO_meth_set_read_ex(m, read);
    BIO_meth_set_write_ex(m, write);
    BIO_meth_set_ctrl(m, control);
    return m;
  }();
  return made;
}

BIO* TlsBio::make(TlsTransport& transport) {
  BIO* bio = method() == nullptr ? nullptr : BIO_new(method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &transport);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace berth::net
