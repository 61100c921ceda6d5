#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "models/network.h"
#include "optim/optimizer.h"
#include "optim/state.h"

namespace plateforge {

// What an update has just changed. `average` is null without one.
struct TrainedState {
  Network& network;
  Optimizer& optimizer;
  Ema* average;
};

// Work on the weights beside the optimiser: pruning masks, quantiser ranges. The trainer calls its
// hooks in the order they were added and keeps their state in the checkpoint.
class TrainHook {
 public:
  virtual ~TrainHook() = default;
  // Names its part of the checkpoint.
  virtual const char* name() const = 0;
  // Before the first update of a fresh run; a resumed one is loaded instead.
  virtual void start(const TrainedState& trained) = 0;
  // After every update, `updates` of them in all.
  virtual void after_update(const TrainedState& trained, int64_t updates) = 0;
  // False while the network is on the way to its final form: its weights are measured but not
  // counted as the best.
  virtual bool is_final(int64_t updates) const { return (void)updates, true; }
  // What the model file has to say about it.
  virtual std::map<std::string, std::string> provenance(Network&) const { return {}; }
  virtual StateDict state() const { return {}; }
  // The network holds the checkpoint's weights already.
  virtual void load(const StateDict& state, Network& network) = 0;
};

}  // namespace plateforge
