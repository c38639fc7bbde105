#include "proxy/http/header_id.h"

#include "proxy/http/header_id_table.h"

namespace berth::http {

HeaderId header_id(std::string_view name) {
  return find_header_id(name);
}

}  // namespace berth::http
