#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adamw.h>
#include <torch/utils.h>

#include "configs/error.h"
#include "optim/update_rules.h"

namespace plateforge {
namespace {

using torch::Tensor;

// The fused kernel walks raw memory, so everything must lie like the parameter.
void match_layout(Tensor& tensor, const Tensor& param) {
  if (tensor.strides() != param.strides()) tensor = torch::empty_like(param).copy_(tensor);
}

struct Slot {
  std::string name;
  Tensor param, step, exp_avg, exp_avg_sq;  // step is a float scalar: the kernel's convention
};

struct Group {
  std::vector<Slot> slots;
  double lr_multiplier, weight_decay;
  bool multiplicative;
};

class AdamW final : public Optimizer {
 public:
  AdamW(std::vector<ParamGroup> groups, const OptimConfig& config)
      : beta2_(config.beta2), eps_(config.eps) {
    for (const ParamGroup& group : groups) {
      Group& added = groups_.emplace_back();
      added.lr_multiplier = group.lr_multiplier;
      added.weight_decay = group.weight_decay;
      added.multiplicative = group.multiplicative;
      for (size_t i = 0; i < group.params.size(); ++i) {
        const Tensor& param = group.params[i];
        added.slots.push_back({group.names[i], param,
                               torch::zeros({}, param.options().dtype(torch::kFloat32)),
                               torch::zeros_like(param), torch::zeros_like(param)});
      }
    }
  }

  void zero_grad() override {
    for (Group& group : groups_) {
      for (Slot& slot : group.slots) slot.param.mutable_grad().reset();
    }
  }

  void step(double lr, double beta1) override {
    const torch::NoGradGuard no_grad;
    for (Group& group : groups_) step_group(group, lr * group.lr_multiplier, beta1);
  }

  StateDict state() const override {
    StateDict state;
    for (const Group& group : groups_) {
      for (const Slot& slot : group.slots) {
        state.tensors["step/" + slot.name] = slot.step;
        state.tensors["exp_avg/" + slot.name] = slot.exp_avg;
        state.tensors["exp_avg_sq/" + slot.name] = slot.exp_avg_sq;
      }
    }
    return state;
  }

  void load(const StateDict& state) override {
    size_t wanted = 0;
    for (Group& group : groups_) {
      for (Slot& slot : group.slots) {
        restore_tensor(state, "step/" + slot.name, slot.step);
        restore_tensor(state, "exp_avg/" + slot.name, slot.exp_avg);
        restore_tensor(state, "exp_avg_sq/" + slot.name, slot.exp_avg_sq);
        wanted += 3;
      }
    }
    require(state.tensors.size() == wanted, "the saved AdamW state has ", state.tensors.size(),
            " tensors but this run's parameters need ", wanted);
  }

 private:
  void step_group(Group& group, double lr, double beta1) {
    std::vector<Tensor> params, grads, exp_avgs, exp_avg_sqs, steps;
    for (Slot& slot : group.slots) {
      Tensor grad = slot.param.grad();
      if (!grad.defined()) continue;
      match_layout(grad, slot.param);
      match_layout(slot.exp_avg, slot.param);
      match_layout(slot.exp_avg_sq, slot.param);
      params.push_back(slot.param);
      grads.push_back(grad);
      exp_avgs.push_back(slot.exp_avg);
      exp_avg_sqs.push_back(slot.exp_avg_sq);
      steps.push_back(slot.step);
    }
    if (params.empty()) return;
    std::vector<Tensor> before;
    if (group.multiplicative)
      for (const Tensor& param : params) before.push_back(param.clone());
    at::_foreach_add_(steps, 1);
    at::_fused_adamw_(params, grads, exp_avgs, exp_avg_sqs, /*max_exp_avg_sqs=*/{}, steps, lr,
                      beta1, beta2_, group.weight_decay, eps_, /*amsgrad=*/false,
                      /*maximize=*/false);
    for (size_t i = 0; i < before.size(); ++i)
      params[i].copy_(before[i] * (params[i] - before[i]).exp());
  }

  std::vector<Group> groups_;
  double beta2_, eps_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(std::vector<ParamGroup> groups, const OptimConfig& config) {
  return std::make_unique<AdamW>(std::move(groups), config);
}

}  // namespace plateforge
