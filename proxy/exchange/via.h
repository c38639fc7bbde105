// The Via field (RFC 9110 section 7.6.3): whom a request has passed, so that it does not go round
// in circles.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/random.h"
#include "proxy/http/head.h"

namespace berth::exchange {

// A name for this process that no other one has: "berth-" and 64 random bits.
std::string make_instance_name(Random& random);

// Whether the request has been here before: one of its Via fields names this instance.
bool has_passed(const http::RequestHead& head, std::string_view instance);

}  // namespace berth::exchange
