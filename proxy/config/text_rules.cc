#include "proxy/config/text_rules.h"

#include <algorithm>
#include <cctype>

#include "proxy/base/letter_case.h"
#include "proxy/config/address_syntax.h"
#include "proxy/config/log_template.h"
#include "proxy/config/status_range.h"
#include "proxy/config/utf8.h"

namespace berth::config {
namespace {

using Checked = Result<std::string, Complaint>;

constexpr size_t kMaxLabel = 128;
constexpr size_t kMaxHeaderName = 256;
constexpr size_t kMaxHeaderValue = 8 * 1024;
constexpr char kTokenChars[] = "letters, digits and !#$%&'*+-.^_`|~";

Failure<Complaint> refuse(std::string_view text, std::string problem, std::string hint = {}) {
  return Failure{Complaint{in_quotes(text) + " " + std::move(problem), std::move(hint)}};
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// RFC 9110 section 5.6.2.
bool is_token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= kMaxHeaderName &&
         std::all_of(text.begin(), text.end(), is_token_char);
}

Failure<Complaint> no_path(std::string_view text) {
  return refuse(text, "is not a path", "did you mean /" + std::string(text) + "?");
}

// Wide enough for every address, which is a listener's name unless it has one.
Checked check_label(std::string_view text) {
  if (text.empty() || text.size() > kMaxLabel) {
    return refuse(text, "is not a name",
                  "a name has 1 to " + std::to_string(kMaxLabel) + " characters");
  }
  const auto bad = [](char c) { return is_control(c) || c == ' '; };
  if (std::any_of(text.begin(), text.end(), bad)) {
    return refuse(text, "is not a name", "a name has no blanks");
  }
  return std::string(text);
}

template <class Parse>
Checked check_address(std::string_view text, Parse parse) {
  const auto parsed = parse(text);
  if (!parsed) return Failure{parsed.error()};
  return std::string(text);
}

Checked check_log_path(std::string_view text) {
  if (text == "-") return std::string(text);
  if (text.empty() || text.front() != '/') {
    return refuse(text, "is not an absolute path", "or - for standard output");
  }
  if (std::any_of(text.begin(), text.end(), is_control)) return refuse(text, "has a control byte");
  if (text.back() == '/') return refuse(text, "is a directory", "name a file in it");
  return std::string(text);
}

Checked check_host(std::string_view text) {
  if (text == "*") return std::string(text);
  if (text.find("://") != std::string_view::npos) {
    return refuse(text, "is a URL", "only the host name, and the path under 'path'");
  }
  std::string_view name = text;
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.find('*') != std::string_view::npos) {
    return refuse(text, "is not a host", "'*' stands for all hosts, '*.example.com' for all below");
  }
  if (name.starts_with('.'))
    return refuse(text, "is not a host", "did you mean *" + to_lower(text) + "?");
  if (name.starts_with('[') && name.ends_with(']')) {
    const std::string_view inner = name.substr(1, name.size() - 2);
    if (name == text && check_network(inner) && inner.find('/') == std::string_view::npos) {
      return to_lower(text);
    }
    return refuse(text, "is not a host");
  }
  if (const size_t colon = name.find(':'); colon != std::string_view::npos) {
    return refuse(text, "has a port",
                  "routes match the host without its port: did you mean " +
                      to_lower(text.substr(0, text.rfind(':'))) + "?");
  }
  if (!is_host_name(name)) return refuse(text, "is not a host name");
  return to_lower(text);
}

Checked check_path_prefix(std::string_view text) {
  if (!text.starts_with('/')) return no_path(text);
  if (text.ends_with('*')) {
    const size_t end = text.find_last_not_of('*');
    std::string prefix(text.substr(0, end + 1));
    if (prefix.size() > 1 && prefix.back() == '/') prefix.pop_back();
    return refuse(text, "ends in '*'",
                  "a path matches all that is below it: did you mean " + prefix + "?");
  }
  if (text.find_first_of("?#") != std::string_view::npos) {
    return refuse(text, "has more than a path", "routes do not look at the query");
  }
  // A request whose path looks different decoded would take two routes, and is refused for it.
  const auto bad = [](char c) {
    return is_control(c) || c == ' ' || c == '\\' || c == '%' ||
           static_cast<unsigned char>(c) > 0x7f;
  };
  if (std::any_of(text.begin(), text.end(), bad)) {
    return refuse(text, "has characters that URLs percent-encode, which no route can match",
                  "end the path before them");
  }
  const std::string closed = std::string(text) + '/';
  for (const std::string_view part : {"//", "/./", "/../"}) {
    const size_t found = text.size() > 1 ? closed.find(part) : std::string::npos;
    const bool trailing_slash =
        part == "//" && found != std::string::npos && found + 2 == closed.size();
    if (found != std::string::npos && !trailing_slash) {
      return refuse(text, "matches no request",
                    "'" + std::string(part) + "' is resolved before routes are looked at");
    }
  }
  return std::string(text);
}

Checked check_header_name(std::string_view text) {
  if (!is_token(text)) return refuse(text, "is not a header name", kTokenChars);
  if (is_framing_field(text)) {
    return refuse(text, "cannot be changed by a rule",
                  "Berth writes it itself, so that messages begin and end where they should");
  }
  return std::string(text);
}

Checked check_field_pattern(std::string_view text) {
  std::string_view name = text;
  if (name.ends_with('*')) name.remove_suffix(1);
  if (!is_token(name) || name.find('*') != std::string_view::npos) {
    return refuse(text, "is not a header name", "such as X-Real-IP, or X-Forwarded-* for many");
  }
  if (is_framing_field(name) || to_lower(name) == "host") {
    return refuse(text, "cannot be stripped", "no request is right without it");
  }
  return std::string(text);
}

Checked check_header_value(std::string_view text) {
  if (text.size() > kMaxHeaderValue) return refuse(text, "is too long", "at most 8KiB");
  const auto bad = [](char c) { return is_control(c) && c != '\t'; };
  if (std::any_of(text.begin(), text.end(), bad)) {
    return refuse(text, "has a control byte", "a header value is one line");
  }
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (blank(text.front()) || blank(text.back()))) {
    return refuse(text, "begins or ends with a blank", "HTTP drops it: leave it out");
  }
  return std::string(text);
}

Checked check_hash_name(std::string_view text) {
  if (text.empty() || is_token(text)) return std::string(text);
  return refuse(text, "is not the name of a header or cookie", kTokenChars);
}

Checked check_cookie_name(std::string_view text) {
  if (text == "off") return std::string();
  if (is_token(text)) return std::string(text);
  return refuse(text, "is not the name of a cookie", kTokenChars);
}

// RFC 6265 section 4.1.1: path-value.
Checked check_cookie_path(std::string_view text) {
  if (!text.starts_with('/')) return no_path(text);
  const auto bad = [](char c) {
    return is_control(c) || c == ';' || c == ' ' || static_cast<unsigned char>(c) > 0x7f;
  };
  if (text.size() > kMaxHeaderName || std::any_of(text.begin(), text.end(), bad)) {
    return refuse(text, "cannot be the path of a cookie", "no blanks, no ';'");
  }
  return std::string(text);
}

Checked check_file(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) return refuse(text, "has a control byte");
  if (text.ends_with('/')) return refuse(text, "is a directory", "name a file in it");
  return std::string(text);
}

Checked check_server_name(std::string_view text) {
  if (text.empty() || is_host_name(text)) return to_lower(text);
  return refuse(text, "is not a host name", "such as app.example.com");
}

Checked check_ciphers(std::string_view text) {
  const auto bad = [](char c) { return is_control(c) || c == ' '; };
  if (text.empty() || std::any_of(text.begin(), text.end(), bad)) {
    return refuse(text, "is not a list of ciphers", "OpenSSL's names with colons between them");
  }
  return std::string(text);
}

Checked check_target(std::string_view text) {
  if (!text.starts_with('/')) return no_path(text);
  const auto bad = [](char c) {
    return is_control(c) || c == ' ' || c == '#' || static_cast<unsigned char>(c) > 0x7f;
  };
  if (std::any_of(text.begin(), text.end(), bad)) {
    return refuse(text, "has characters that URLs percent-encode", "such as %20 for a blank");
  }
  return std::string(text);
}

Checked check_check_host(std::string_view text) {
  if (text == kOwnAddress || is_host_name(text)) return std::string(text);
  const auto with_port = parse_server_address(text);
  if (with_port && with_port->kind != AddressKind::Unix) return std::string(text);
  return refuse(text, "is not a host", "such as app.example.com, or auto for the server's address");
}

Checked check_nameserver(std::string_view text) {
  const bool bare = check_network(text) && text.find('/') == std::string_view::npos;
  const bool v6 = text.find(':') != std::string_view::npos;
  const std::string full(bare ? (v6 ? "[" + std::string(text) + "]:53" : std::string(text) + ":53")
                              : text);
  const auto parsed = parse_server_address(full);
  if (parsed && (parsed->kind == AddressKind::Ipv4 || parsed->kind == AddressKind::Ipv6)) {
    return full;
  }
  return refuse(text, "is not the address of a name server", "such as 10.0.0.2:53");
}

Checked check_folder(std::string_view text) {
  if (text == "auto" || (text.starts_with('/') && text.find('\0') == std::string_view::npos)) {
    return std::string(text);
  }
  return refuse(text, "is not an absolute path", "such as /var/spool/berth, or auto");
}

Checked check_status_range(std::string_view text) {
  if (parse_status_range(text)) return std::string(text);
  return refuse(text, "is not a status", "such as 204 or 200-399");
}

}  // namespace

bool is_framing_field(std::string_view name) {
  static constexpr std::string_view kFields[] = {
      "connection", "content-length",    "expect",  "keep-alive", "proxy-connection", "te",
      "trailer",    "transfer-encoding", "upgrade",
  };
  const std::string wanted = to_lower(name);
  return std::find(std::begin(kFields), std::end(kFields), wanted) != std::end(kFields);
}

Checked check_text(std::string_view text, TextKind kind) {
  if (utf8_prefix(text) != text.size()) return refuse(text, "is not UTF-8");
  switch (kind) {
    case TextKind::Label:
      return check_label(text);
    case TextKind::ListenAddress:
      return check_address(text, parse_listen_address);
    case TextKind::AdminAddress:
      if (text == "off") return std::string();
      return check_address(text, parse_listen_address);
    case TextKind::ServerAddress:
      return check_address(text, parse_server_address);
    case TextKind::LogPath:
      return check_log_path(text);
    case TextKind::LogTemplate: {
      const auto pieces = parse_log_template(text);
      if (!pieces) return Failure{pieces.error()};
      return std::string(text);
    }
    case TextKind::Host:
      return check_host(text);
    case TextKind::PathPrefix:
      return check_path_prefix(text);
    case TextKind::UpstreamName:
      return std::string(text);
    case TextKind::Network: {
      if (text == "unix:") return std::string(text);  // whoever comes over a Unix socket
      const auto checked = check_network(text);
      if (!checked) return Failure{checked.error()};
      return std::string(text);
    }
    case TextKind::HeaderName:
      return check_header_name(text);
    case TextKind::FieldPattern:
      return check_field_pattern(text);
    case TextKind::HeaderValue:
      return check_header_value(text);
    case TextKind::HashName:
      return check_hash_name(text);
    case TextKind::CookieName:
      return check_cookie_name(text);
    case TextKind::CookiePath:
      return check_cookie_path(text);
    case TextKind::File:
      return check_file(text);
    case TextKind::ServerName:
      return check_server_name(text);
    case TextKind::Ciphers:
      return check_ciphers(text);
    case TextKind::CheckTarget:
      return check_target(text);
    case TextKind::CheckHost:
      return check_check_host(text);
    case TextKind::Folder:
      return check_folder(text);
    case TextKind::StatusRange:
      return check_status_range(text);
    case TextKind::Nameserver:
      return check_nameserver(text);
    case TextKind::HostName:
      if (!is_host_name(text)) return refuse(text, "is not a host name", "without a port");
      return to_lower(text);
  }
  return std::string(text);
}

}  // namespace berth::config
