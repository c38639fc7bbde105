// What one worker counts. Each struct has one writer (its worker) and is summed over the workers at
// scrape; the names follow the metrics that they become (metrics are listed in collector.cc).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "proxy/base/close_reason.h"
#include "proxy/base/enum_array.h"
#include "proxy/stats/counter.h"
#include "proxy/stats/status_code.h"

namespace berth::stats {

// berth_client_connections{state}
enum class ClientState : uint8_t { Reading, Active, Writing, Idle, Upgraded, Handshake };
inline constexpr size_t kClientStates = 6;

// berth_client_tls_handshakes_total{version,resumed}
enum class TlsVersion : uint8_t { Tls12, Tls13 };
inline constexpr size_t kTlsVersions = 2;

// berth_client_tls_handshakes_total{resumed}, berth_upstream_tls_handshakes_total{resumed}
enum class Handshake : uint8_t { Full, Resumed };
inline constexpr size_t kHandshakes = 2;

// berth_client_requests_total{protocol}: HTTP/1.0 and 1.1, HTTP/2
enum class Protocol : uint8_t { Http1, Http2 };
inline constexpr size_t kProtocols = 2;

// berth_client_streams_reset_total{by}
enum class StreamReset : uint8_t { Client, Berth };
inline constexpr size_t kStreamResets = 2;

// berth_upstream_connections{state}
enum class UpstreamState : uint8_t { Connecting, Active, Idle, Upgraded, Draining };
inline constexpr size_t kUpstreamStates = 5;

// berth_upstream_acquisitions_total{source}
enum class AcquireSource : uint8_t { Idle, New, Handover, Queue };
inline constexpr size_t kAcquireSources = 4;

// berth_upstream_stale_reuse_total{outcome}
enum class StaleOutcome : uint8_t { Avoided, Replayed, Failed };
inline constexpr size_t kStaleOutcomes = 3;

// berth_upstream_queue_rejected_total{reason}
enum class QueueReject : uint8_t { Full, Timeout, ClientGone };
inline constexpr size_t kQueueRejects = 3;

// berth_upstream_retries_total{reason}
enum class RetryCause : uint8_t { ConnectFailed, NotSent, Idempotent, FinProved };
inline constexpr size_t kRetryCauses = 4;

// berth_upstream_learned_keepalive_seconds{source}
enum class LearnedSource : uint8_t { Config, Hint, Observed };
inline constexpr size_t kLearnedSources = 3;

// berth_upstream_server_state{state}: whether a server takes new requests, and why not. The later
// ones outweigh the earlier.
enum class ServerState : uint8_t { Ready, BackingOff, Ejected, Unhealthy, Draining };
inline constexpr size_t kServerStates = 5;

// berth_upstream_health_checks_total{result}
enum class HealthResult : uint8_t { Passed, Failed, Skipped };
inline constexpr size_t kHealthResults = 3;

// berth_upstream_aborts_total{by}
enum class AbortedBy : uint8_t { Client, Server };
inline constexpr size_t kAbortedBys = 2;

// berth_route_request_duration_seconds{class}
enum class StatusClass : uint8_t { Informational, Success, Redirection, ClientError, ServerError };
inline constexpr size_t kStatusClasses = 5;

constexpr StatusClass class_of(uint16_t status) {
  const unsigned hundreds = status < 200 ? 1U : status >= 500 ? 5U : status / 100U;
  return static_cast<StatusClass>(hundreds - 1);
}

// berth_config_reloads_total{result}
enum class ReloadResult : uint8_t { Success, Failure };
inline constexpr size_t kReloadResults = 2;

// berth_reload_pools_total{action}: what a reload did with each server's pool. Kept: nothing that
// concerns it is different. Changed: it goes on with its connections, under other settings.
// Replaced: it begins anew, because its connections must not go on (its TLS settings, or the
// contents of their files, are different). Retired: it left; what is busy finishes.
enum class PoolAction : uint8_t { Kept, Changed, Replaced, Added, Retired };
inline constexpr size_t kPoolActions = 5;

// berth_name_resolutions_total{result}
enum class NameResult : uint8_t { Unchanged, Changed, Failed };
inline constexpr size_t kNameResults = 3;

// berth_spool_failures_total{reason}
enum class SpoolFailure : uint8_t { DiskFull, Budget, Error };
inline constexpr size_t kSpoolFailures = 3;

using HandshakeCounters = EnumArray<Handshake, Counter, kHandshakes>;
using ReasonCounters = EnumArray<CloseReason, Counter, kCloseReasonCount>;

// One listener, in one worker.
struct ListenerStats {
  EnumArray<ClientState, Gauge, kClientStates> connections;
  Counter connections_accepted;
  ReasonCounters connections_closed;
  EnumArray<TlsVersion, HandshakeCounters, kTlsVersions> tls_handshakes;
  ReasonCounters handshake_failures;
  EnumArray<Protocol, RequestCounters, kProtocols> requests;  // by method and status code
  ReasonCounters requests_refused;  // berth_client_requests_refused_total{reason}
  LatencyHistogram request_duration;
  RequestCountHistogram requests_per_connection;
  AgeHistogram connection_age;
  Counter received_bytes;
  Counter sent_bytes;
  Gauge streams;  // requests under way over HTTP/2
  EnumArray<StreamReset, Counter, kStreamResets> streams_reset;
};

// One app server, in one worker.
struct ServerStats {
  EnumArray<UpstreamState, Gauge, kUpstreamStates> connections;
  Counter connections_opened;
  ReasonCounters connect_failures;
  HandshakeCounters tls_handshakes;
  ReasonCounters connections_closed;
  Counter close_timeouts;  // connections that the server did not let go of in time
  EnumArray<AcquireSource, Counter, kAcquireSources> acquisitions;
  LatencyHistogram connect_duration;
  LatencyHistogram response_header_duration;
  StatusCounters requests;  // by status code
  RequestCountHistogram requests_per_connection;
  AgeHistogram idle_age_at_reuse;
  AgeHistogram idle_age_at_peer_close;
  EnumArray<StaleOutcome, Counter, kStaleOutcomes> stale_reuse;
  EnumArray<RetryCause, Counter, kRetryCauses> retries;
  Counter retry_budget_exhausted;
  Counter ejections;
  EnumArray<AbortedBy, Counter, kAbortedBys> aborts;
  Counter received_bytes;
  Counter sent_bytes;
  SizeHistogram request_body;
  SizeHistogram response_body;
  EnumArray<HealthResult, Counter, kHealthResults> health_checks;
};

// One route, in one worker.
struct RouteStats {
  EnumArray<StatusClass, LatencyHistogram, kStatusClasses> request_duration;
};

// The queue of one upstream, in one worker.
struct QueueStats {
  Gauge length;
  LatencyHistogram wait;
  EnumArray<QueueReject, Counter, kQueueRejects> rejected;
  Counter holders_ended;  // for those who waited: their clients moved nothing
};

// One worker.
struct WorkerStats {
  LatencyHistogram loop_lag;  // time that one turn of the loop took
  Counter access_log_dropped;
  Counter memory_losses;  // clients that lost something because memory was short
};

// The process. Written by the main thread only.
struct ProcessStats {
  EnumArray<ReloadResult, Counter, kReloadResults> config_reloads;
  Gauge last_reload_success_ms;  // milliseconds since 1970; the first load counts
  EnumArray<PoolAction, Counter, kPoolActions> reload_pools;
  EnumArray<NameResult, Counter, kNameResults> name_resolutions;
  Gauge memory_budget;  // bytes
  // Bytes in buffers now; nullptr: nobody knows. Thread: any.
  size_t (*buffered_memory)() = nullptr;
  // Lines of the process log that nobody read in time; nullptr: nobody counts. Thread: any.
  uint64_t (*lost_log_lines)() = nullptr;
};

// Request bodies in files. Thread: any.
struct SpoolStats {
  std::atomic<uint64_t> bytes{0};  // in files now
  std::atomic<uint64_t> files{0};
  std::atomic<uint64_t> written_bytes{0};
  EnumArray<SpoolFailure, std::atomic<uint64_t>, kSpoolFailures> failures{};
};

// Values that are no counter of a worker: set by whoever knows them, read at scrape.
struct ServerFacts {
  std::atomic<uint32_t> connections_limit{0};
  std::atomic<ServerState> state{ServerState::Ready};  // the strongest (upstream/server_state.h)
  std::atomic<int64_t> learned_keepalive_ms{0};
  std::atomic<LearnedSource> learned_source{LearnedSource::Config};
  std::atomic<int64_t> keepalive_margin_ms{0};
};

struct QueueFacts {
  std::atomic<uint32_t> limit{0};
};

}  // namespace berth::stats
