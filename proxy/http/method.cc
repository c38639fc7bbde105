#include "proxy/http/method.h"

#include "proxy/http/literal.h"

namespace berth::http {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::Get:
      return "GET";
    case Method::Head:
      return "HEAD";
    case Method::Post:
      return "POST";
    case Method::Put:
      return "PUT";
    case Method::Delete:
      return "DELETE";
    case Method::Patch:
      return "PATCH";
    case Method::Options:
      return "OPTIONS";
    case Method::Trace:
      return "TRACE";
    case Method::Connect:
      return "CONNECT";
    case Method::Other:
      return "OTHER";
  }
  return "OTHER";
}

Method method_from(std::string_view token) {
  const char* at = token.data();
  switch (token.size()) {
    case 3:
      if (starts_with<"GET">(at)) return Method::Get;
      if (starts_with<"PUT">(at)) return Method::Put;
      break;
    case 4:
      if (starts_with<"POST">(at)) return Method::Post;
      if (starts_with<"HEAD">(at)) return Method::Head;
      break;
    case 5:
      if (starts_with<"PATCH">(at)) return Method::Patch;
      if (starts_with<"TRACE">(at)) return Method::Trace;
      break;
    case 6:
      if (starts_with<"DELETE">(at)) return Method::Delete;
      break;
    case 7:
      if (starts_with<"OPTIONS">(at)) return Method::Options;
      if (starts_with<"CONNECT">(at)) return Method::Connect;
      break;
    default:
      break;
  }
  return Method::Other;
}

}  // namespace berth::http
