// What the HTTP/1 codec costs per message. Exact, in instructions:
//
//   g++ -std=c++20 -O2 -DNDEBUG -I. tests/bench/micro/http_codec.cc proxy/http/*.cc -o
//   /tmp/http_codec valgrind --tool=callgrind --toggle-collect='berth::bench::parse_request*'
//   /tmp/http_codec 1000
//
// (likewise parse_response*, write_request*; divide by the rounds). Without valgrind: nanoseconds.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "proxy/http/head_parser.h"
#include "proxy/http/head_writer.h"

namespace berth::bench {

using namespace std::string_view_literals;

constexpr auto kRequest =
    "GET /assets/app/main.4f3c2a.js?v=20240611 HTTP/1.1\r\n"
    "Host: shop.example.com\r\n"
    "Connection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: no-cors\r\n"
    "Sec-Fetch-Dest: script\r\n"
    "Referer: https://shop.example.com/\r\n"
    "Cookie: sid=8f14e45fceea167a5a36dedd4bea2543; theme=dark; cart=3\r\n"
    "Cache-Control: no-cache\r\n"
    "\r\n"sv;

constexpr auto kResponse =
    "HTTP/1.1 200 OK\r\n"
    "X-Powered-By: Express\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 128\r\n"
    "ETag: W/\"80-abcdefghijklmnopqrstuvwxyz0\"\r\n"
    "Date: Tue, 11 Jun 2024 10:11:12 GMT\r\n"
    "Connection: keep-alive\r\n"
    "Keep-Alive: timeout=5\r\n"
    "\r\n"sv;

http::RequestHead request;    // NOLINT: large, and as long-lived as a worker's
http::ResponseHead response;  // NOLINT
char out[4096];               // NOLINT

[[gnu::noinline]] size_t parse_request() {
  http::HeadProgress progress;
  return http::HeadParser::parse(kRequest, {}, progress, request).head_size;
}

[[gnu::noinline]] size_t parse_response() {
  http::HeadProgress progress;
  return http::HeadParser::parse(kResponse, {}, progress, response).head_size;
}

[[gnu::noinline]] size_t write_request() {
  http::HeadWriter writer(out, sizeof out);
  writer.request_line(request.method_text, request.path);
  writer.fields(request.fields, [](const http::HeaderField& f) { return !f.hop_by_hop; });
  writer.field("X-Forwarded-For", "203.0.113.77");
  writer.field("X-Forwarded-Proto", "https");
  writer.field("X-Forwarded-Host", request.host);
  writer.field("X-Request-Id", "0123456789abcdef0123456789abcdef");
  writer.finish();
  return writer.size();
}

void measure(const char* what, size_t (*work)(), int rounds) {
  const auto start = std::chrono::steady_clock::now();
  size_t bytes = 0;
  for (int i = 0; i < rounds; ++i) bytes += work();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
  std::printf("%-15s %4zu bytes %6.0f ns\n", what, bytes / static_cast<size_t>(rounds),
              taken.count() / rounds);
}

}  // namespace berth::bench

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  berth::bench::measure("parse request", berth::bench::parse_request, rounds);
  berth::bench::measure("parse response", berth::bench::parse_response, rounds);
  berth::bench::measure("write request", berth::bench::write_request, rounds);
}
