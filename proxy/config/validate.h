// What no single value shows: contradictions between values, references to nothing, missing parts.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/config/diagnostics.h"

namespace berth::config {

// Where each value stands in the file, by its path: "upstreams.app.pool.max_idle",
// "routes[0].upstream". What the file does not say has no place.
using Places = std::map<std::string, Mark, std::less<>>;

// The place of `path` if the file has it, else of the nearest thing around it.
Mark place_of(const Places& places, std::string_view path);

// Fills in what follows from other values: listener names, the one possible route, a `max_idle`
// that is neither below `min_idle` nor above `max_connections`, a `rest_timeout` of at most half of
// `queue_timeout`, and a `max_time` that is not below `time`.
void complete(Config& config, const Places& places);

// Reports every error and warning in a completed configuration.
void validate(const Config& config, const Places& places, Diagnostics& diagnostics);

// The part of `validate` about keep-alive settings that will lose connections to a race, or that
// undo each other. Warnings only.
void warn_of_races(const Config& config, const Places& places, Diagnostics& diagnostics);

// Adds warnings about servers that are a listener of this very configuration.
void warn_of_loops(const Config& config, const Places& places, Diagnostics& diagnostics);

// The part of `validate` about who gets a request: backups, hash, sticky.
void check_balancing(const Config& config, const Places& places, Diagnostics& diagnostics);

}  // namespace berth::config
