#include "proxy/net/send_queue.h"

namespace berth::net {

IoResult SendQueue::send(Transport& transport, const iovec* parts, int count, Scratch& scratch) {
  if (!empty()) {
    keep(parts, count, 0, scratch);
    return {IoStatus::Ok, 0};
  }
  const IoResult sent = transport.write(parts, count);
  if (sent.status == IoStatus::Reset) return sent;
  keep(parts, count, sent.bytes, scratch);
  return {IoStatus::Ok, sent.bytes};
}

void SendQueue::keep(const iovec* parts, int count, size_t skip, Scratch& scratch) {
  for (int i = 0; i < count; ++i) {
    std::string_view part(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    if (skip >= part.size()) {
      skip -= part.size();
      continue;
    }
    part.remove_prefix(skip);
    skip = 0;
    if (scratch.gives(part)) {
      chain_.push(scratch.take(part));
    } else {
      chain_.append(part);
    }
  }
}

IoResult SendQueue::flush(Transport& transport) {
  constexpr int kMaxParts = 16;
  size_t total = 0;
  while (!empty()) {
    iovec parts[kMaxParts];
    int count = 0;
    size_t offered = 0;
    chain_.for_each_part([&](std::string_view part) {
      parts[count++] = {const_cast<char*>(part.data()), part.size()};
      offered += part.size();
      return count < kMaxParts;
    });
    const IoResult sent = transport.write(parts, count);
    if (sent.status == IoStatus::Reset) return sent;
    chain_.consume(sent.bytes);
    total += sent.bytes;
    if (sent.status == IoStatus::Again || sent.bytes < offered) break;
  }
  return {IoStatus::Ok, total};
}

}  // namespace berth::net
