// Which state of a machine may follow which.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace berth {

// State: an enum of at most 16 values. The way into the final state has no entry: close() takes it
// from everywhere.
template <class State>
class TransitionTable {
 public:
  struct Row {
    State from;
    std::initializer_list<State> to;
  };

  constexpr TransitionTable(std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
      for (const State to : row.to) next_[index(row.from)] |= bit(to);
    }
  }

  constexpr bool allows(State from, State to) const { return (next_[index(from)] & bit(to)) != 0; }

 private:
  static constexpr size_t index(State state) { return static_cast<size_t>(state); }
  static constexpr uint16_t bit(State state) { return static_cast<uint16_t>(1U << index(state)); }

  uint16_t next_[16] = {};
};

}  // namespace berth
