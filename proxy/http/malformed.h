// What is wrong with a head that was refused, in words for people: for the log and Proxy-Status.
#pragma once

#include <string>
#include <string_view>

#include "proxy/http/head_parser.h"

namespace berth::http {

// Such as "control byte in X-Name". `bytes`: what parse() was given. Names fields by the tokens
// that they are and shows nothing else of the bytes: the text can stand between quotes, and is
// short.
std::string describe_refusal(std::string_view bytes, const ParseOutcome& outcome);

}  // namespace berth::http
