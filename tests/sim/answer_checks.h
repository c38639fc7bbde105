// What every simulated client makes of an answer, whatever protocol it came over.
#pragma once

#include <string>

#include "tests/sim/message_reader.h"
#include "tests/sim/site.h"

namespace berth::sim {

// Used up within one call.
class AnswerChecks {
 public:
  // `crawls`: the client is slower than the minimum rates. `rests`: what it takes, or sends, is so
  // little that it may be ended for that.
  AnswerChecks(Site& site, uint32_t client, bool crawls, bool rests = false)
      : site_(site), index_(client), crawls_(crawls), rests_(crawls || rests) {}

  // Fails the simulation if this is no right answer to the request.
  void check(const RequestRecord& request, const Message& response);
  // Whether the proxy has ended it because its client rested; fails if that did not.
  bool broken_off_for_rest(const RequestRecord& request) const;

 private:
  void check_misdelivery(const RequestRecord& request, const AttemptRecord& attempt);
  void check_patience(const RequestRecord& request, const std::string& label);
  void check_local(const RequestRecord& request, const Message& response);
  bool should_have_been_replayed(const RequestRecord& request, const std::string& label) const;

  Site& site_;
  uint32_t index_;
  bool crawls_;
  bool rests_;
};

}  // namespace berth::sim
