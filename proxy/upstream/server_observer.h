// What people want to know of servers, as it happens: the process log.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/time.h"
#include "proxy/net/address.h"

namespace berth::upstream {

class SharedServer;

// Thread: each worker's.
class ServerObserver {
 public:
  // The first failure since it answered last: `reason`, and `detail` if more is known. (One that
  // fails and answers in turn is told of once in Trouble::kQuietFor.)
  virtual void on_trouble(const SharedServer& server, CloseReason reason,
                          std::string_view detail) = 0;
  virtual void on_trouble_over(const SharedServer& server) = 0;
  // `errors` in a row made it so.
  virtual void on_ejected(const SharedServer& server, Duration out_for, uint32_t errors) = 0;
  virtual void on_ejection_over(const SharedServer& server) = 0;
  // It was seen to close idle connections after `closes_after`, so they are not reused after
  // `limit`, which is so short that few are reused at all.
  virtual void on_low_idle_limit(const SharedServer& server, Duration closes_after,
                                 Duration limit) = 0;
  // A request that held one of its connections, while others waited, was ended: its client had
  // moved nothing. `upload`: its body had not come; otherwise its response was not read.
  virtual void on_holder_ended(const SharedServer& server, const net::Address& client,
                               Duration rested, bool upload) = 0;

 protected:
  ~ServerObserver() = default;
};

}  // namespace berth::upstream
