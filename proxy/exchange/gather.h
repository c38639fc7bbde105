// A request's bytes on the way to a connection, gathered for one sendmsg.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "proxy/upstream/upstream_connection.h"

namespace berth::exchange {

// Used up within one call.
class Gather {
 public:
  explicit Gather(upstream::UpstreamConnection& connection) : connection_(connection) {}

  void add(std::string_view part) {
    if (part.empty()) return;
    if (count_ == parts_.size()) flush();
    parts_[count_++] = {const_cast<char*>(part.data()), part.size()};
  }
  // A request's head. `last`: the server is asked to close after its response.
  void add_head(std::string_view head, bool last) {
    constexpr std::string_view kEnd = "\r\n";
    add(last ? head.substr(0, head.size() - kEnd.size()) : head);
    if (last) add("Connection: close\r\n\r\n");
  }
  // False if the connection is broken.
  bool flush() {
    if (count_ > 0 && ok_) ok_ = connection_.send(parts_.data(), static_cast<int>(count_));
    count_ = 0;
    return ok_;
  }

 private:
  upstream::UpstreamConnection& connection_;
  std::array<iovec, 32> parts_;
  size_t count_ = 0;
  bool ok_ = true;
};

}  // namespace berth::exchange
