// What a client connection holds only while it has a request under way.
#pragma once

#include <cstdint>
#include <optional>

#include "proxy/base/time.h"
#include "proxy/client/pace.h"
#include "proxy/event/turn_queue.h"
#include "proxy/exchange/exchange.h"
#include "proxy/http/body.h"

namespace berth::client {

// How the client can tell where the response ends. Unframed: not at all but by the connection's
// end.
enum class ResponseFraming : uint8_t { Unframed, Length, Chunked };

// How far the response has got. Complete: all of it is queued for the client.
enum class ResponseStage : uint8_t { Awaited, HeadSent, Complete };

// Owned by its ClientConnection; destroyed at the end of the turn in which it ends.
struct ActiveExchange final : event::Disposable {
  ActiveExchange(exchange::Context& context, exchange::ClientStream& stream,
                 const exchange::ClientFacts& facts)
      : exchange(context, stream, facts) {}

  exchange::Exchange exchange;
  http::BodyDecoder body;  // of the request

  http::Method method = http::Method::Get;
  bool http10 = false;       // the client's version
  bool wants_close = false;  // the client's Connection: close, or HTTP/1.0 without keep-alive
  bool expects_continue = false;
  bool body_paused = false;  // the exchange takes no more of it for now
  ResponseFraming framing = ResponseFraming::Unframed;
  ResponseStage stage = ResponseStage::Awaited;
  // Why the connection ends with this response, known with its head; None: it is kept.
  CloseReason close_reason = CloseReason::None;
  uint16_t status = 0;

  bool chunked() const { return framing == ResponseFraming::Chunked; }
  bool head_sent() const { return stage != ResponseStage::Awaited; }
  bool response_complete() const { return stage == ResponseStage::Complete; }

  uint64_t body_received = 0;
  uint64_t received = 0;          // bytes of the request
  uint64_t sent = 0;              // bytes of the response
  uint64_t body_sent = 0;         // of its body, without framing
  Pace receiving;                 // the request's body
  Pace sending;                   // while bytes wait for the client to take them
  std::optional<uint64_t> taken;  // what it had taken at the last look at it
  uint64_t passed_on = 0;         // what the kernel had taken for it when it had to wait
  TimePoint began{};
  int64_t began_wall_us = 0;
};

}  // namespace berth::client
