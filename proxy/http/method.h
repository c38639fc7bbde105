// Request methods (RFC 9110 section 9, PATCH from RFC 5789).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::http {

enum class Method : uint8_t { Get, Head, Post, Put, Delete, Patch, Options, Trace, Connect, Other };
inline constexpr size_t kMethodCount = 10;

// The method's name; "OTHER" for extension methods, whose own text is in RequestHead::method_text.
std::string_view to_string(Method method);

// Case-sensitive, as RFC 9110 section 9.1 demands.
Method method_from(std::string_view token);

// RFC 9110 section 9.2.2: may be sent again after a connection failure. Unknown methods may not.
constexpr bool is_idempotent(Method m) {
  return m != Method::Post && m != Method::Patch && m != Method::Connect && m != Method::Other;
}

}  // namespace berth::http
