#include "proxy/net/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace berth::net {

TicketKeys::Key TicketKeys::make() {
  Key key;
  const auto fill = [](auto& bytes) {
    return RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1;
  };
  if (!fill(key.name) || RAND_priv_bytes(key.cipher.data(), key.cipher.size()) != 1 ||
      RAND_priv_bytes(key.mac.data(), key.mac.size()) != 1) {
    throw std::runtime_error("no randomness for session ticket keys");
  }
  return key;
}

TicketKeys::TicketKeys() {
  rotate();
}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(keys_.data(), sizeof keys_);
}

void TicketKeys::rotate() {
  const Key key = make();
  const std::lock_guard lock(mutex_);
  std::move_backward(keys_.begin(), keys_.end() - 1, keys_.end());
  keys_.front() = key;
  count_ = std::min(count_ + 1, kKept);
}

TicketKeys::Key TicketKeys::newest() const {
  const std::lock_guard lock(mutex_);
  return keys_.front();
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const uint8_t, 16> name) const {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < count_; ++i) {
    if (std::equal(name.begin(), name.end(), keys_[i].name.begin())) return Found{keys_[i], i == 0};
  }
  return std::nullopt;
}

}  // namespace berth::net
