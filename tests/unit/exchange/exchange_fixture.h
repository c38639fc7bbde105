// What the tests of an exchange, in parts by subject, have in common.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/exchange.h"
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {

class ExchangeTest : public ProxyInMemory {
 protected:
  // A POST whose body is announced to be `length` bytes; `came` of them are here.
  Call& post(size_t length, std::string_view came, const std::string& lines = {}) {
    return begin("POST /form HTTP/1.1\r\nHost: app.test\r\nContent-Length: " +
                     std::to_string(length) + "\r\n" + lines,
                 came, came.size() == length);
  }
  Call& post_chunked(std::string_view came, bool complete = false, std::string_view trailers = {}) {
    return begin("POST /form HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n", came,
                 complete, trailers);
  }
};

}  // namespace berth::exchange
