// When a server is left out: the settings of an upstream that judge its servers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/time.h"

namespace berth::config {

// What counts as an error of a server.
enum class EjectFor : uint8_t {
  Failures,       // no valid response: refused, closed, reset, garbage, late
  GatewayErrors,  // and the statuses 502, 503 and 504
  ServerErrors,   // and every other 5xx
};

// Passive health: a server whose requests fail in a row is left out for a while.
struct Ejection {
  bool enabled = true;
  uint32_t errors = 5;  // in a row
  EjectFor count = EjectFor::Failures;
  Duration time = std::chrono::seconds(10);  // the first time; then doubled
  Duration max_time = std::chrono::minutes(5);
  uint32_t max_percent = 50;  // of the upstream's servers, at the same time
  bool operator==(const Ejection&) const = default;
};

// Stands for the server's own address where a Host is asked for.
inline constexpr std::string_view kOwnAddress = "auto";

// Active health: a request that is made of every server again and again.
struct HealthCheck {
  bool enabled = false;
  std::string path = "/";
  std::string host{kOwnAddress};
  Duration interval = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(2);  // for the connection, and again for the answer
  uint32_t healthy_after = 2;                  // checks in a row
  uint32_t unhealthy_after = 3;
  std::vector<std::string> status = {"200-399"};  // "204", "200-399": what is an answer of the well
  bool operator==(const HealthCheck&) const = default;
};

// Whether one of the ranges, each of which is valid, has `status` in it.
bool status_in(const std::vector<std::string>& ranges, uint16_t status);

}  // namespace berth::config
