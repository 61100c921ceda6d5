#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "configs/run_config.h"
#include "optim/state.h"

namespace plateforge {

// Parameters that share a rate, a decay and a way to move.
struct ParamGroup {
  std::vector<std::string> names;
  std::vector<torch::Tensor> params;
  double lr_multiplier = 1;
  double weight_decay = 0;
  // p * exp(update) instead of p + update, as if its logarithm were trained: scales of quantisers
  // stay positive and move by a share of themselves, however small they are.
  bool multiplicative = false;
};

// Splits by OptimConfig: no decay on one-dimensional tensors (biases, norms) and on parameters that
// are no layer's "weight" (positions, queries); the longest matching
// PREFIX of lr_multipliers wins (whole name components: "backbone.1" does not match "backbone.10");
// factor 0 freezes (requires_grad false, left out). Names that end in "_scale" are the scales of a
// quantised network and move multiplicatively. layer_decay (Clark et al. 2020; BEiT): the embedding
// of "encoder" moves by layer_decay^(L + 1), its layer i of L by layer_decay^(L - i), everything
// else by 1. Throws Error for a prefix that matches no
// parameter, listing the top-level names, and when nothing is left to train.
std::vector<ParamGroup> make_param_groups(torch::nn::Module& network, const OptimConfig& config);

// Staged freezing: parameters under a PREFIX of OptimConfig::freeze_until do not move before update
// STEP. Their layers' running statistics do.
class StagedFreeze {
 public:
  // Throws Error for a prefix that matches no parameter, listing the top-level names. Parameters
  // that are frozen already stay so.
  StagedFreeze(torch::nn::Module& network, const OptimConfig& config);
  // Before update `step`, the first is 0.
  void apply(int64_t step);

 private:
  struct Frozen {
    torch::Tensor parameter;
    int64_t until;
  };
  std::vector<Frozen> frozen_;
};

// An update rule. Weights in the network are always the ones to train on; call eval_mode() before
// measuring or saving and train_mode() after (schedule-free keeps two sequences; AdamW does
// nothing).
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual void zero_grad() = 0;
  // Parameters without a gradient are left alone.
  virtual void step(double lr, double beta1) = 0;
  // True when the weights to measure are not the ones that were trained on, so that BatchNorm
  // statistics have to be estimated anew in eval mode.
  virtual bool has_eval_weights() const { return false; }
  virtual void eval_mode() {}
  virtual void train_mode() {}
  // The tensors share memory with the optimiser: write or clone them before the next step.
  virtual StateDict state() const = 0;
  // Strict on names and shapes; throws Error.
  virtual void load(const StateDict& state) = 0;
};

// Throws Error for an unknown name and for what the rule cannot do.
std::unique_ptr<Optimizer> make_optimizer(std::vector<ParamGroup> groups,
                                          const OptimConfig& config);

// Scales all gradients so that their joint L2 norm is at most `limit` (0 only measures); returns
// the norm before, as a 0-dim tensor (no host synchronisation).
torch::Tensor clip_grad_norm(const std::vector<ParamGroup>& groups, double limit);

// Exponential moving average of parameters and floating buffers, with the warm-up
// decay_t = min(decay, (1 + t) / (10 + t)). While swapped in, the network holds the average.
class Ema {
 public:
  Ema(torch::nn::Module& network, double decay);
  void update();
  void swap();  // exchanges network and average; call twice to restore
  // Not while swapped in.
  StateDict state() const;
  void load(const StateDict& state);

 private:
  std::vector<std::string> names_;
  std::vector<torch::Tensor> live_, average_;
  double decay_;
  int64_t updates_ = 0;
  bool swapped_ = false;
};

}  // namespace plateforge
