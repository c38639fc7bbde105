#include "proxy/http/head_writer.h"

#include <array>
#include <charconv>

namespace berth::http {

namespace {

struct StatusPhrase {
  uint16_t status;
  std::string_view phrase;
};

constexpr StatusPhrase kStatusPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

constexpr std::array<std::string_view, 512> index_phrases() {
  std::array<std::string_view, 512> index;
  for (const StatusPhrase& entry : kStatusPhrases) index[entry.status] = entry.phrase;
  return index;
}

}  // namespace

void HeadWriter::append_number(uint64_t value) {
  const std::to_chars_result written = std::to_chars(at_, end_, value);
  if (written.ec == std::errc{}) {
    at_ = written.ptr;
  } else {
    overflow();
  }
}

void HeadWriter::request_line(std::string_view method, std::string_view target) {
  constexpr std::string_view kVersion = " HTTP/1.1\r\n";
  char* to = take(method.size() + 1 + target.size() + kVersion.size());
  if (to == nullptr) return;
  to = copy(to, method);
  *to = ' ';
  to = copy(to + 1, target);
  copy(to, kVersion);
}

void HeadWriter::status_line(uint16_t status, std::string_view reason) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  char* to = take(kVersion.size() + 4 + reason.size() + 2);
  if (to == nullptr) return;
  to = copy(to, kVersion);
  to[0] = static_cast<char>('0' + status / 100 % 10);
  to[1] = static_cast<char>('0' + status / 10 % 10);
  to[2] = static_cast<char>('0' + status % 10);
  to[3] = ' ';
  to = copy(to + 4, reason);
  *to++ = '\r';
  *to++ = '\n';
}

void HeadWriter::field(std::string_view name, uint64_t value) {
  append(name);
  append(": ");
  append_number(value);
  append("\r\n");
}

std::string_view reason_phrase(uint16_t status) {
  static constexpr auto kPhrases = index_phrases();
  return status < kPhrases.size() && !kPhrases[status].empty() ? kPhrases[status] : "Unknown";
}

}  // namespace berth::http
