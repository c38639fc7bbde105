// Scenarios that bring about what chance alone seldom does. Each changes what was drawn before.
#pragma once

#include "tests/sim/scenario.h"

namespace berth::sim {

void make_crowd(Dice& dice, Scenario& s);
void make_race(Dice& dice, Scenario& s);
void make_crawl(Dice& dice, Scenario& s);
void make_sessions(Dice& dice, Scenario& s);
void make_rest(Dice& dice, Scenario& s);
void make_tunnels(Dice& dice, Scenario& s);
void make_behind(Dice& dice, Scenario& s);
void make_warm(Dice& dice, Scenario& s);
void make_absent(Dice& dice, Scenario& s);
void make_hoard(Dice& dice, Scenario& s);
void make_lessons(Dice& dice, Scenario& s);

}  // namespace berth::sim
