// What every simulated client makes of an answer, whatever protocol it came over.
#pragma once

#include <string>

#include "tests/sim/message_reader.h"
#include "tests/sim/site.h"

namespace berth::sim {

// Used up within one call.
class AnswerChecks {
 public:
  // `crawls`: the client is slower than the minimum rates.
  AnswerChecks(Site& site, uint32_t client, bool crawls)
      : site_(site), index_(client), crawls_(crawls) {}

  // Fails the simulation if this is no right answer to the request.
  void check(const RequestRecord& request, const Message& response);

 private:
  void check_misdelivery(const RequestRecord& request, const AttemptRecord& attempt);
  void check_patience(const RequestRecord& request, const std::string& label);
  void check_local(const RequestRecord& request, const Message& response);
  bool should_have_been_replayed(const RequestRecord& request, const std::string& label) const;

  Site& site_;
  uint32_t index_;
  bool crawls_;
};

}  // namespace berth::sim
