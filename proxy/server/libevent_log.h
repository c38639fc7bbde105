// What libevent has to say goes into the process log.
#pragma once

namespace berth::server {

// From now on, at most one line in ten seconds: libevent repeats itself without end when the
// process runs out of file descriptors.
void log_for_libevent();

}  // namespace berth::server
