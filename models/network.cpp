#include "models/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cmath>
#include <functional>
#include <map>

#include "configs/error.h"
#include "models/lprnet.h"
#include "models/mae.h"
#include "models/maskocr.h"
#include "models/scrfd.h"

namespace plateforge {
namespace {

struct NetworkKind {
  std::function<NetworkPtr(const ModelConfig&, int64_t, uint64_t)> build;
  std::function<int64_t(const ModelConfig&)> time_steps;
};

const std::map<std::string, NetworkKind>& networks() {
  static const std::map<std::string, NetworkKind> table = {
      {"lprnet", {make_lprnet, lprnet_time_steps}},
      {"mae", {make_mae, mae_time_steps}},
      {"maskocr", {make_maskocr, maskocr_time_steps}},
      {"scrfd", {make_scrfd, scrfd_time_steps}},
  };
  return table;
}

const NetworkKind& find_network(const std::string& name) {
  const auto found = networks().find(name);
  if (found != networks().end()) return found->second;
  std::string known;
  for (const auto& [key, kind] : networks()) known += " " + key;
  fail("unknown network '", name, "'; known:", known);
}

void initialize_weight(torch::Tensor weight, at::Generator& generator) {
  const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
  weight.normal_(0.0, std::sqrt(2.0 / fan_in), generator);
}

}  // namespace

torch::Tensor normalize(const torch::Tensor& images) {
  return (images.to(torch::kFloat) - 127.5) * (1.0 / 128);
}

int64_t count_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

NetworkPtr make_network(const ModelConfig& config, int64_t num_classes, uint64_t seed) {
  return find_network(config.name).build(config, num_classes, seed);
}

ModelConfig for_region(ModelConfig config, const Region& region) {
  if (config.maskocr.slots == 0) config.maskocr.slots = region.max_length();
  return config;
}

int64_t time_steps(const ModelConfig& config) {
  return find_network(config.name).time_steps(config);
}

void initialize_layers(torch::nn::Module& module, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& layer : module.modules()) {
    if (auto* conv = layer->as<torch::nn::Conv2d>()) {
      initialize_weight(conv->weight, generator);
      conv->bias.zero_();
    } else if (auto* linear = layer->as<torch::nn::Linear>()) {
      initialize_weight(linear->weight, generator);
      linear->bias.zero_();
    } else if (auto* norm = layer->as<torch::nn::BatchNorm2d>()) {
      norm->weight.fill_(1.0);
      norm->bias.zero_();
      norm->reset_running_stats();
    }
  }
}

}  // namespace plateforge
