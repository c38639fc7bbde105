// What the text settings may look like, one rule for each TextKind of the schema.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/config/diagnostics.h"
#include "proxy/config/schema.h"

namespace berth::config {

// The value to keep (host names in lower case, "off" as ""), or what is wrong with `text`.
Result<std::string, Complaint> check_text(std::string_view text, TextKind kind);

// True if a field of this name is decided by Berth itself, message by message (framing and
// connection fields): no rule may set or remove it.
bool is_framing_field(std::string_view name);

}  // namespace berth::config
