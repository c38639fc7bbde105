// Who hears of what comes back on an upstream connection: the Exchange.
#pragma once

#include <cstddef>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/http/head.h"

namespace berth::upstream {

// Why an upstream connection failed under a request, with what a retry depends on.
struct UpstreamFailure {
  CloseReason reason = CloseReason::None;
  bool reused = false;           // the connection had carried a request before
  bool sent_nothing = false;     // the kernel accepted no byte of this request
  bool fin_proved = false;       // EOF, and no byte of this request was ever acknowledged
  bool response_seen = false;    // at least one byte of a response came
  bool stale = false;            // the server had closed it when it was wanted
  std::string_view detail = {};  // what was wrong with a malformed response, and where
};

// Thread: the worker's. During any of these the lease may be dropped. Views are valid during the
// call.
class ResponseHandler {
 public:
  // 1xx other than 101.
  virtual void on_interim(const http::ResponseHead& head) = 0;
  // The head, and as much of the body as has come with it. `complete`: that was all.
  virtual void on_response(const http::ResponseHead& head, std::string_view body,
                           bool complete) = 0;
  // 101 to a request that asked for it; from now on bytes come raw, by on_body.
  virtual void on_upgraded(const http::ResponseHead& head) = 0;
  virtual void on_body(std::string_view bytes, bool complete) = 0;
  // Everything given to Lease::send is with the kernel.
  virtual void on_request_drained() = 0;
  // The connection is gone, and the lease with it.
  virtual void on_upstream_failed(const UpstreamFailure& failure) = 0;

 protected:
  ~ResponseHandler() = default;
};

}  // namespace berth::upstream
