// The version that this binary was built as.
#pragma once

namespace berth::server {

const char* version();

}  // namespace berth::server
