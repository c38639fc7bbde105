// The BIO through which OpenSSL reads and writes a TlsTransport's memory.
#pragma once

#include <openssl/bio.h>

#include "proxy/net/tls_transport.h"

namespace berth::net {

struct TlsBio {
  // nullptr: out of memory. The transport outlives it.
  static BIO* make(TlsTransport& transport);
  static TlsTransport& transport_of(BIO* bio);

 private:
  static int read(BIO* bio, char* into, size_t size, size_t* got);
  static int write(BIO* bio, const char* bytes, size_t size, size_t* taken);
  static long control(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* method();
};

}  // namespace berth::net
