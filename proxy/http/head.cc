#include "proxy/http/head.h"

#include "proxy/http/literal.h"

namespace berth::http {

const HeaderField* HeaderList::find(std::string_view name) const {
  for (const HeaderField& field : *this) {
    if (equals_nocase(field.name, name)) return &field;
  }
  return nullptr;
}

void RequestHead::clear() {
  method = Method::Other;
  method_text = {};
  target = {};
  path = {};
  host = {};
  expect_continue = false;
  summary = {};
  fields.clear();
  own_path.clear();
}

void ResponseHead::clear() {
  status = 0;
  reason = {};
  summary = {};
  fields.clear();
  keep_alive_timeout = -1;
  keep_alive_max = -1;
}

}  // namespace berth::http
