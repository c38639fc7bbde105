// What a worker's exchanges share.
#pragma once

#include <string>

#include "proxy/base/local_ptr.h"
#include "proxy/exchange/access_record.h"
#include "proxy/exchange/holders.h"
#include "proxy/exchange/router.h"
#include "proxy/http/http_date.h"
#include "proxy/net/memory_keeper.h"
#include "proxy/net/worker_env.h"

namespace berth::exchange {

// Thread: the worker's.
struct Context {
  net::WorkerEnv& env;
  LocalPtr<Router> router;  // of the newest snapshot; exchanges keep the one they began with
  AccessLogSink* access_log = nullptr;  // nullptr: off
  Holders holders{env};
  net::MemoryKeeper memory{env.runtime};  // of its clients
  std::string instance = {};              // this process in Via (via.h); "": no Via is sent
  http::HttpDate date = {};               // for responses without a Date
};

}  // namespace berth::exchange
