#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "configs/error.h"
#include "optim/update_rules.h"

namespace plateforge {
namespace {

using torch::Tensor;

// Three sequences: z takes the plain steps, x is their weighted average (what is evaluated), and y
// lies between them (where gradients are taken, so what the network holds while training).
struct Slot {
  std::string name;
  Tensor y, z, exp_avg_sq;  // y is the network's parameter
};

struct Group {
  std::vector<Slot> slots;
  double lr_multiplier, weight_decay;
  double lr_max = 0, weight_sum = 0;
};

class ScheduleFreeAdamW final : public Optimizer {
 public:
  ScheduleFreeAdamW(std::vector<ParamGroup> groups, const OptimConfig& config)
      : beta1_(config.beta1), beta2_(config.beta2), eps_(config.eps) {
    require(beta1_ > 0, "optim.beta1 = 0 does not work with schedule_free_adamw: give 0.9 or so");
    const torch::NoGradGuard no_grad;
    for (const ParamGroup& group : groups) {
      require(!group.multiplicative,
              "schedule_free_adamw cannot learn the scales of quantisers: set "
              "optim.quantizer_scales=frozen or optim.optimizer=adamw");
      Group& added = groups_.emplace_back();
      added.lr_multiplier = group.lr_multiplier;
      added.weight_decay = group.weight_decay;
      for (size_t i = 0; i < group.params.size(); ++i) {
        const Tensor& param = group.params[i];
        added.slots.push_back(
            {group.names[i], param, param.detach().clone(), torch::zeros_like(param)});
      }
    }
  }

  void zero_grad() override {
    for (Group& group : groups_) {
      for (Slot& slot : group.slots) slot.y.mutable_grad().reset();
    }
  }

  // beta1 is the configured one: a cycled momentum has no meaning for an average of the whole run.
  void step(double lr, double /*beta1*/) override {
    TORCH_CHECK(training_, "schedule-free: step() in eval mode, call train_mode() first");
    const torch::NoGradGuard no_grad;
    for (Group& group : groups_) step_group(group, lr * group.lr_multiplier);
    ++steps_;
  }

  bool has_eval_weights() const override { return true; }
  void eval_mode() override {
    if (training_) move_weights(1 - 1 / beta1_);
    training_ = false;
  }
  void train_mode() override {
    if (!training_) move_weights(1 - beta1_);
    training_ = true;
  }

  StateDict state() const override {
    StateDict state;
    state.put("steps", steps_);
    state.put("training", int64_t{training_});
    for (size_t i = 0; i < groups_.size(); ++i) {
      state.put("lr_max/" + std::to_string(i), groups_[i].lr_max);
      state.put("weight_sum/" + std::to_string(i), groups_[i].weight_sum);
      for (const Slot& slot : groups_[i].slots) {
        state.tensors["z/" + slot.name] = slot.z;
        state.tensors["exp_avg_sq/" + slot.name] = slot.exp_avg_sq;
      }
    }
    return state;
  }

  void load(const StateDict& state) override {
    steps_ = state.integer("steps");
    training_ = state.integer("training") != 0;
    size_t wanted = 0;
    for (size_t i = 0; i < groups_.size(); ++i) {
      groups_[i].lr_max = state.number("lr_max/" + std::to_string(i));
      groups_[i].weight_sum = state.number("weight_sum/" + std::to_string(i));
      for (Slot& slot : groups_[i].slots) {
        restore_tensor(state, "z/" + slot.name, slot.z);
        restore_tensor(state, "exp_avg_sq/" + slot.name, slot.exp_avg_sq);
        wanted += 2;
      }
    }
    require(state.tensors.size() == wanted, "the saved schedule-free state has ",
            state.tensors.size(), " tensors but this run's parameters need ", wanted);
  }

 private:
  void step_group(Group& group, double lr) {
    const double bias_correction2 = 1 - std::pow(beta2_, static_cast<double>(steps_ + 1));
    group.lr_max = std::max(group.lr_max, lr);
    const double weight = group.lr_max * group.lr_max;
    group.weight_sum += weight;
    const double c = group.weight_sum > 0 ? weight / group.weight_sum : 0;

    std::vector<Tensor> y, z, exp_avg_sq, grads;
    for (Slot& slot : group.slots) {
      if (!slot.y.grad().defined()) continue;
      y.push_back(slot.y);
      z.push_back(slot.z);
      exp_avg_sq.push_back(slot.exp_avg_sq);
      grads.push_back(slot.y.grad());
    }
    if (y.empty()) return;
    at::_foreach_mul_(exp_avg_sq, beta2_);
    at::_foreach_addcmul_(exp_avg_sq, grads, grads, 1 - beta2_);
    auto denominator = at::_foreach_div(exp_avg_sq, bias_correction2);
    at::_foreach_sqrt_(denominator);
    at::_foreach_add_(denominator, eps_);
    auto direction = at::_foreach_div(grads, denominator);
    if (group.weight_decay != 0) at::_foreach_add_(direction, y, group.weight_decay);
    at::_foreach_lerp_(y, z, c);
    at::_foreach_add_(y, direction, lr * (beta1_ * (1 - c) - 1));
    at::_foreach_sub_(z, direction, lr);
  }

  // Both switches are linear interpolations towards z.
  void move_weights(double weight) {
    const torch::NoGradGuard no_grad;
    for (Group& group : groups_) {
      for (Slot& slot : group.slots) slot.y.lerp_(slot.z, weight);
    }
  }

  std::vector<Group> groups_;
  double beta1_, beta2_, eps_;
  int64_t steps_ = 0;
  bool training_ = true;
};

}  // namespace

std::unique_ptr<Optimizer> make_schedule_free_adamw(std::vector<ParamGroup> groups,
                                                    const OptimConfig& config) {
  return std::make_unique<ScheduleFreeAdamW>(std::move(groups), config);
}

}  // namespace plateforge
