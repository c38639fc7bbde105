// Chunked bodies: in pieces as at once, and against a decoder that is as simple as can be.
#include <algorithm>

#include "proxy/http/body.h"
#include "tests/fuzz/http_fuzz.h"

namespace berth::http {
namespace {

struct Decoded {
  bool refused = false;
  bool complete = false;
  size_t consumed = 0;
  std::string payload;
  std::string trailers;

  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, uint8_t seed, bool at_once) {
  BodyDecoder decoder({BodyKind::Chunked, 0});
  Pieces pieces(seed);
  Decoded out;
  while (out.consumed < bytes.size() && !decoder.complete()) {
    const size_t size = at_once ? bytes.size() : pieces.next();
    ExactCopy piece(bytes.substr(out.consumed, size));
    const auto step = decoder.decode(piece.data(), piece.size());
    if (!step) return {.refused = true};
    require(step->payload <= step->consumed && step->consumed <= piece.size(), "sizes", bytes);
    out.payload.append(piece.data(), step->payload);
    out.consumed += step->consumed;
    require(piece.view().substr(step->consumed) ==
                bytes.substr(out.consumed, piece.size() - step->consumed),
            "what follows is untouched", bytes);
  }
  out.complete = decoder.complete();
  out.trailers = decoder.trailers();
  return out;
}

// Only what a regular expression could say: whole chunks up to the last one. False if the bytes are
// not of that form (malformed or incomplete).
bool decode_simply(std::string_view bytes, std::string& payload, size_t& trailers_at) {
  size_t at = 0;
  for (;;) {
    const size_t line_end = bytes.find("\r\n", at);
    if (line_end == std::string_view::npos) return false;
    const std::string_view line = bytes.substr(at, line_end - at);
    const std::string_view digits = line.substr(0, line.find(';'));
    if (digits.empty() || digits.size() > 16) return false;
    if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return false;
    const uint64_t size = std::stoull(std::string(digits), nullptr, 16);
    at = line_end + 2;
    if (size == 0) {
      trailers_at = at;
      return true;
    }
    if (size > bytes.size() - at || bytes.substr(at + size, 2) != "\r\n") return false;
    payload += bytes.substr(at, size);
    at += size + 2;
  }
}

}  // namespace
}  // namespace berth::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace berth::http;  // NOLINT(google-build-using-namespace): a function that C calls
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Decoded whole = decode(bytes, 0, true);
  require(whole == decode(bytes, data[0], false), "pieces lead to the same", bytes);
  require(whole == decode(bytes, 0, false), "bytes lead to the same", bytes);

  std::string payload;
  size_t trailers_at = 0;
  const bool simple = decode_simply(bytes, payload, trailers_at);
  if (whole.complete) {
    require(simple && payload == whole.payload, "the simple decoder agrees", bytes);
    const std::string_view rest = bytes.substr(trailers_at);
    const size_t end = rest.starts_with("\r\n") ? 2 : rest.find("\r\n\r\n") + 4;
    require(whole.consumed == trailers_at + end, "the end", bytes);
  }
  return 0;
}
