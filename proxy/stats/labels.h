// Label values of the enums in stats.h, in the order of their enumerators: for the metrics and the
// access log.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "proxy/stats/stats.h"

namespace berth::stats {

inline constexpr EnumArray<ClientState, std::string_view, kClientStates> kClientStateLabels = {
    "reading", "active", "writing", "idle", "upgraded", "handshake"};
inline constexpr EnumArray<TlsVersion, std::string_view, kTlsVersions> kTlsVersionLabels = {"1.2",
                                                                                            "1.3"};
inline constexpr EnumArray<Handshake, std::string_view, kHandshakes> kResumedLabels = {"false",
                                                                                       "true"};
inline constexpr EnumArray<Protocol, std::string_view, kProtocols> kProtocolLabels = {"http/1",
                                                                                      "http/2"};
inline constexpr EnumArray<StreamReset, std::string_view, kStreamResets> kStreamResetLabels = {
    "client", "berth"};
inline constexpr EnumArray<UpstreamState, std::string_view, kUpstreamStates> kUpstreamStateLabels =
    {"connecting", "active", "idle", "upgraded", "draining"};
inline constexpr EnumArray<AcquireSource, std::string_view, kAcquireSources> kAcquireSourceLabels =
    {"idle", "new", "handover", "queue"};
inline constexpr EnumArray<StaleOutcome, std::string_view, kStaleOutcomes> kStaleOutcomeLabels = {
    "avoided", "replayed", "failed"};
inline constexpr EnumArray<QueueReject, std::string_view, kQueueRejects> kQueueRejectLabels = {
    "full", "timeout", "client_gone"};
inline constexpr EnumArray<SpoolFailure, std::string_view, kSpoolFailures> kSpoolFailureLabels = {
    "disk_full", "budget", "error"};
inline constexpr EnumArray<RetryCause, std::string_view, kRetryCauses> kRetryCauseLabels = {
    "connect_failed", "not_sent", "idempotent", "fin_proved"};
inline constexpr EnumArray<LearnedSource, std::string_view, kLearnedSources> kLearnedSourceLabels =
    {"config", "hint", "observed"};
inline constexpr EnumArray<ServerState, std::string_view, kServerStates> kServerStateLabels = {
    "ready", "backing_off", "ejected", "unhealthy", "draining"};
inline constexpr EnumArray<HealthResult, std::string_view, kHealthResults> kHealthResultLabels = {
    "passed", "failed", "skipped"};
inline constexpr EnumArray<AbortedBy, std::string_view, kAbortedBys> kAbortedByLabels = {"client",
                                                                                         "server"};
inline constexpr EnumArray<StatusClass, std::string_view, kStatusClasses> kStatusClassLabels = {
    "1xx", "2xx", "3xx", "4xx", "5xx"};
inline constexpr EnumArray<NameResult, std::string_view, kNameResults> kNameResultLabels = {
    "unchanged", "changed", "failed"};
inline constexpr EnumArray<ReloadResult, std::string_view, kReloadResults> kReloadResultLabels = {
    "success", "failure"};
inline constexpr EnumArray<PoolAction, std::string_view, kPoolActions> kPoolActionLabels = {
    "kept", "changed", "replaced", "added", "retired"};

constexpr std::string_view label(AcquireSource source) {
  return kAcquireSourceLabels[source];
}
constexpr std::string_view label(ServerState state) {
  return kServerStateLabels[state];
}
constexpr std::string_view label(LearnedSource source) {
  return kLearnedSourceLabels[source];
}

}  // namespace berth::stats
