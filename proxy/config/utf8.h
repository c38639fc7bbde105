// Is it text at all?
#pragma once

#include <cstddef>
#include <string_view>

namespace berth::config {

// The length of the longest prefix of `text` that is UTF-8 (RFC 3629) without NUL bytes:
// text.size() if all of it is.
size_t utf8_prefix(std::string_view text);

}  // namespace berth::config
