#include "proxy/server/status_text.h"

#include <gtest/gtest.h>

namespace berth::server {
namespace {

constexpr const char* kStatus = R"({
  "version": "1.2.3", "state": "ready", "uptime_seconds": 90.5, "generation": 2, "workers": 2,
  "last_reload": {"result": "failure", "time": "2026-11-28T10:53:07Z", "errors": ["f:1: error: x"]},
  "listeners": [{"name": ":80", "requests": 12, "requests_refused": 1,
    "connections": {"reading": 1, "active": 2, "writing": 3, "idle": 4, "upgraded": 5,
                    "handshake": 6}}],
  "upstreams": [
    {"name": "app", "queue": {"length": 3, "limit": 1024, "rejected": 7}, "servers": [
      {"address": "10.0.0.1:3000", "state": "ready", "limit": 128, "requests": 11,
       "connect_failures": 0, "connections":
         {"connecting": 1, "active": 2, "idle": 3, "upgraded": 4, "draining": 5}},
      {"address": "10.0.0.10:3000", "state": "backing_off", "limit": 8, "requests": 0,
       "connect_failures": 2, "connections":
         {"connecting": 0, "active": 0, "idle": 0, "upgraded": 0, "draining": 0}}]},
    {"name": "unknown", "queue": {"length": 0, "limit": 5, "rejected": 0}, "servers": []}]
})";

TEST(StatusTextTest, IsATableOfEachKind) {
  EXPECT_EQ(status_text(kStatus),
            "berth 1.2.3: ready, up 90s, 2 workers, configuration 2; last reload at "
            "2026-11-28T10:53:07Z: failure\n"
            "  f:1: error: x\n"
            "\n"
            "LISTENER  OPEN  BUSY  IDLE  UPGRADED  REQUESTS  REFUSED\n"
            ":80         21     6     4         5        12        1\n"
            "\n"
            "UPSTREAM  SERVERS  WAITING  LIMIT  REJECTED\n"
            "app             2        3   1024         7\n"
            "unknown         0        0      5         0\n"
            "\n"
            "SERVER                    STATE  BUSY  IDLE  DRAINING  LIMIT  UPGRADED  REQUESTS  "
            "FAILED CONNECTS\n"
            "app/10.0.0.1:3000         ready     3     3         5    128         4        11  "
            "              0\n"
            "app/10.0.0.10:3000  backing_off     0     0         0      8         0         0  "
            "              2\n");
}

TEST(StatusTextTest, WhatIsNotAStatusIsNothing) {
  EXPECT_EQ(status_text("<html>"), "");
  EXPECT_EQ(status_text("{}"), "");
}

}  // namespace
}  // namespace berth::server
