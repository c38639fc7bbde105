#include "proxy/client/local_answer.h"

#include "proxy/http/char_class.h"
#include "proxy/http/head_writer.h"

namespace berth::client {

namespace {

// `text` as a line of its own, with a capital letter and a full stop.
void append_sentence(http::HeadWriter& out, std::string_view text) {
  if (text.empty()) return;
  const char first = http::to_upper(text.front());
  out.append({&first, 1});
  out.append(text.substr(1));
  out.append(".\n");
}

}  // namespace

LocalAnswer::LocalAnswer(const exchange::LocalResponse& response, std::string_view date)
    : rules_(response.rules) {
  http::HeadWriter body(body_.data(), body_.size());
  body.append_number(response.status());
  body.append(" ");
  body.append(http::reason_phrase(response.status()));
  body.append("\n\n");
  append_sentence(body, info(response.reason).text);
  if (!response.request_id.empty()) {
    body.append("request id: ");
    body.append(response.request_id.substr(0, 128));
    body.append("\n");
  }
  body_size_ = body.size();

  add("Date", date);
  add("Content-Type", "text/plain");
  add("Cache-Control", "no-store");
  http::HeadWriter length(length_.data(), length_.size());
  length.append_number(body_size_);
  add("Content-Length", length.text());
  if (response.location.empty()) {
    http::HeadWriter status(status_.data(), status_.size());
    status.append("berth; error=");
    status.append(info(response.reason).error);
    status.append("; details=\"");
    status.append(info(response.reason).label);
    if (!response.detail.empty()) {
      status.append(": ");
      status.append(response.detail.substr(0, 128));
    }
    status.append("\"");
    add("Proxy-Status", status.text());
  } else {
    add("Location", response.location);
  }
  if (!response.request_id.empty()) add("X-Request-Id", response.request_id);
  if (response.status() == 503) add("Retry-After", "1");
}

}  // namespace berth::client
