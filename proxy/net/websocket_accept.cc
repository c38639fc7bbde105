#include "proxy/net/websocket_accept.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>

namespace berth::net {

std::string websocket_accept(std::string_view key) {
  constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const std::string text = std::string(key).append(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> base64;
  const int size = EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(hash.size()));
  return {reinterpret_cast<const char*>(base64.data()), static_cast<size_t>(size)};
}

}  // namespace berth::net
