// Finding the end of a name, a value, a target or a host, and the shape of a plain line. A scanner
// is a class of static functions that read nothing outside [at, end). All are compiled on every
// machine that can run them, and tested against each other; DefaultScan is the fastest.
#pragma once

#include "proxy/http/scan_portable.h"
#include "proxy/http/scan_sse2.h"

namespace berth::http {

#ifdef __SSE2__
using DefaultScan = Sse2Scan;
#else
using DefaultScan = PortableScan;
#endif

}  // namespace berth::http
