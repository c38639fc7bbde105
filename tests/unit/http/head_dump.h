// A parsed head as text, to compare what two ways of parsing made of the same bytes.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

#include "proxy/http/head.h"
#include "proxy/http/head_parser.h"

namespace berth::http {

inline std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr char kHex[] = "0123456789abcdef";
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f || c == '\\') {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

inline void dump_common(std::ostream& out, const HeadSummary& summary, const HeaderList& fields) {
  out << " minor=" << int{summary.minor_version};
  if (summary.has_length()) out << " length=" << summary.content_length;
  if (summary.chunked) out << " chunked";
  if (summary.close) out << " close";
  if (summary.keep_alive) out << " keep-alive";
  if (summary.upgrade) out << " upgrade";
  if (summary.te_trailers) out << " te-trailers";
  for (const HeaderField& f : fields) {
    out << "\n  " << (f.hop_by_hop ? "-" : "+") << int{static_cast<uint8_t>(f.id)} << " " << f.name
        << "=" << f.value << " (" << f.line_size << ")";
  }
}

inline std::string dump(const RequestHead& head) {
  std::ostringstream out;
  out << to_string(head.method) << " " << head.method_text << " target=" << head.target
      << " path=" << head.path << " host=" << head.host;
  if (head.expect_continue) out << " expect-continue";
  dump_common(out, head.summary, head.fields);
  return out.str();
}

inline std::string dump(const ResponseHead& head) {
  std::ostringstream out;
  out << head.status << " reason=" << head.reason << " timeout=" << head.keep_alive_timeout
      << " max=" << head.keep_alive_max;
  dump_common(out, head.summary, head.fields);
  return out.str();
}

}  // namespace berth::http
