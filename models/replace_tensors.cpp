#include "models/replace_tensors.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include "configs/error.h"
#include "models/model_file.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;

// Whole groups go or stay, so that the outputs tell how many are left.
void follow(nn::Conv2dImpl& conv) {
  auto& options = conv.options;
  const auto outputs = conv.weight.size(0);
  if (options.groups() > 1) options.groups(outputs / (options.out_channels() / options.groups()));
  options.out_channels(outputs);
  options.in_channels(conv.weight.size(1) * options.groups());
}

void follow(nn::LinearImpl& linear) {
  linear.options.out_features(linear.weight.size(0));
  linear.options.in_features(linear.weight.size(1));
}

void follow(nn::BatchNorm2dImpl& norm) {
  if (norm.weight.defined()) norm.options.num_features(norm.weight.size(0));
}

void follow(nn::LayerNormImpl& norm) {
  if (norm.weight.defined()) norm.options.normalized_shape(norm.weight.sizes().vec());
}

}  // namespace

void replace_tensors(nn::Module& module, const TensorDict& tensors, const std::string& origin) {
  const torch::NoGradGuard no_grad;
  const auto own = state_dict(module);
  for (const auto& [name, value] : tensors) {
    const auto found = own.find(name);
    require(found != own.end(), origin, ": the network has no tensor '", name, "' to replace");
    auto tensor = found->second;
    require(value.dim() == tensor.dim() && value.scalar_type() == tensor.scalar_type(), origin,
            ": tensor '", name, "' is ", value.sizes(), " ", value.scalar_type(),
            ", the network's is ", tensor.sizes(), " ", tensor.scalar_type());
    tensor.mutable_grad() = torch::Tensor();
    tensor.set_data(value.detach().to(tensor.device()).clone(at::MemoryFormat::Contiguous));
  }
  for (const auto& layer : module.modules()) {
    if (auto* conv = layer->as<nn::Conv2dImpl>()) follow(*conv);
    if (auto* linear = layer->as<nn::LinearImpl>()) follow(*linear);
    if (auto* norm = layer->as<nn::BatchNorm2dImpl>()) follow(*norm);
    if (auto* norm = layer->as<nn::LayerNormImpl>()) follow(*norm);
  }
}

std::map<std::string, Shape> changed_shapes(const nn::Module& module, const nn::Module& usual) {
  const auto expected = state_dict(usual);
  std::map<std::string, Shape> changed;
  for (const auto& [name, tensor] : state_dict(module)) {
    const auto found = expected.find(name);
    if (found != expected.end() && found->second.sizes() != tensor.sizes())
      changed[name] = tensor.sizes().vec();
  }
  return changed;
}

}  // namespace plateforge
