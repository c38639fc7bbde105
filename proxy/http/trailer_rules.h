// Which fields may come behind a body (RFC 9110 section 6.5.1).
#pragma once

#include "proxy/http/head.h"

namespace berth::http {

// False for all fields of the HeaderId table (framing, routing, authentication, control data and
// what Berth sets itself) and for those which change how a body that has already been read is to be
// taken.
bool may_be_trailer(const HeaderField& field);

}  // namespace berth::http
