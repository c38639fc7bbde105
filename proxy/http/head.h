// A parsed message head: views into the buffer that it was parsed from, valid while that buffer is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/header_id.h"
#include "proxy/http/method.h"

namespace berth::http {

struct HeaderField {
  std::string_view name;
  std::string_view value;  // without surrounding white space
  HeaderId id = HeaderId::Other;
  bool hop_by_hop = false;  // not to be forwarded: see head_rules.h
  // The bytes of "name: value\r\n", from name.data() on, if the field was received in just that
  // form; 0 otherwise. HeadWriter::fields copies runs of such lines at once, so whoever changes a
  // field's name or value sets it to 0.
  uint32_t line_size = 0;
};

// The fields of one head in the order of arrival. Whoever parses many heads keeps one of these:
// only a head with more fields than any before it allocates.
class HeaderList {
 public:
  static constexpr size_t kUsual = 128;  // room from the beginning

  HeaderList() : fields_(kUsual) {}
  void push(const HeaderField& field) {
    if (size_ == room()) grow();
    fields_[size_++] = field;
  }
  size_t room() const { return fields_.size(); }
  // Doubles the room; what is there stays, at another place.
  void grow() { fields_.resize(2 * room()); }
  // For the parser, which fills the fields in place: after begin()[0, size) has been written.
  void set_size(size_t size) { size_ = size; }
  void clear() { size_ = 0; }
  size_t size() const { return size_; }
  HeaderField* begin() { return fields_.data(); }
  HeaderField* end() { return fields_.data() + size_; }
  const HeaderField* begin() const { return fields_.data(); }
  const HeaderField* end() const { return fields_.data() + size_; }

  // The first field with this id, or nullptr.
  const HeaderField* find(HeaderId id) const {
    for (const HeaderField& f : *this) {
      if (f.id == id) return &f;
    }
    return nullptr;
  }
  HeaderField* find(HeaderId id) {
    return const_cast<HeaderField*>(static_cast<const HeaderList*>(this)->find(id));
  }
  // The first field with this name (case-insensitive), or nullptr.
  const HeaderField* find(std::string_view name) const;

 private:
  size_t size_ = 0;
  std::vector<HeaderField> fields_;
};

// What the fields say about the message's framing and its connection; filled by the parser.
struct HeadSummary {
  static constexpr uint64_t kNoLength = UINT64_MAX;

  uint64_t content_length = kNoLength;
  uint8_t minor_version = 1;      // 0 or 1: what is newer is taken for 1.1 (RFC 9110 section 2.5)
  bool chunked = false;           // the final (and only) transfer coding
  bool close = false;             // Connection: close
  bool keep_alive = false;        // Connection: keep-alive
  bool upgrade = false;           // Connection: upgrade, and Upgrade names one protocol to tunnel
  bool te_trailers = false;       // TE: trailers
  bool has_via = false;           // request: there is a Via
  bool has_date = false;          // response: there is a Date
  bool ambiguous_length = false;  // response: chunked, and Content-Length too, which does not count

  bool has_length() const { return content_length != kNoLength; }
  // RFC 9112 section 9.3.
  bool persistent() const { return !close && (minor_version >= 1 || keep_alive); }
};

struct RequestHead {
  RequestHead() = default;
  RequestHead(const RequestHead&) = delete;  // `path` may point into the head itself
  RequestHead& operator=(const RequestHead&) = delete;

  Method method = Method::Other;
  std::string_view method_text;
  std::string_view target;  // as received: origin-form, absolute-form or "*"
  std::string_view path;    // what follows the authority, with the query; "/" if nothing does
  // The authority: Host, which an absolute-form target may only repeat. "" in an HTTP/1.0 request
  // that has neither.
  std::string_view host;
  bool expect_continue = false;  // Expect: 100-continue, in HTTP/1.1 and with a body to come
  HeadSummary summary;
  HeaderList fields;
  std::string own_path;  // what `path` views where the target has a query but no path: "/?a=b"

  void clear();
};

struct ResponseHead {
  uint16_t status = 0;
  std::string_view reason;
  HeadSummary summary;
  HeaderList fields;
  // Keep-Alive: timeout= and max=, in seconds and requests; -1 where absent.
  int32_t keep_alive_timeout = -1;
  int32_t keep_alive_max = -1;

  void clear();
};

}  // namespace berth::http
