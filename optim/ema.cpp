#include <torch/nn/module.h>
#include <torch/utils.h>

#include <algorithm>

#include "configs/error.h"
#include "optim/optimizer.h"

namespace plateforge {

Ema::Ema(torch::nn::Module& network, double decay) : decay_(decay) {
  const torch::NoGradGuard no_grad;
  const auto add = [this](const std::string& name, const torch::Tensor& tensor) {
    if (!tensor.is_floating_point()) return;  // counters such as num_batches_tracked
    names_.push_back(name);
    live_.push_back(tensor.detach());  // shares memory, needs no gradient
    average_.push_back(tensor.detach().clone());
  };
  for (const auto& item : network.named_parameters()) add(item.key(), item.value());
  for (const auto& item : network.named_buffers()) add(item.key(), item.value());
}

void Ema::update() {
  TORCH_CHECK(!swapped_, "Ema::update() while the average is in the network");
  const torch::NoGradGuard no_grad;
  const double t = static_cast<double>(updates_++);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  at::_foreach_lerp_(average_, live_, 1 - decay);
}

void Ema::swap() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < live_.size(); ++i) {
    const auto kept = live_[i].clone();  // the network's memory must stay: views and graphs hold it
    live_[i].copy_(average_[i]);
    average_[i].copy_(kept);
  }
  swapped_ = !swapped_;
}

StateDict Ema::state() const {
  TORCH_CHECK(!swapped_, "Ema::state() while the average is in the network");
  StateDict state;
  state.put("updates", updates_);
  for (size_t i = 0; i < names_.size(); ++i) state.tensors[names_[i]] = average_[i];
  return state;
}

void Ema::load(const StateDict& state) {
  TORCH_CHECK(!swapped_, "Ema::load() while the average is in the network");
  require(state.tensors.size() == names_.size(), "the saved weight average has ",
          state.tensors.size(), " tensors but this network has ", names_.size());
  for (size_t i = 0; i < names_.size(); ++i) restore_tensor(state, names_[i], average_[i]);
  updates_ = state.integer("updates");
}

}  // namespace plateforge
