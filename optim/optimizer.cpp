#include "optim/optimizer.h"

#include <torch/nn/module.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "configs/error.h"
#include "optim/update_rules.h"

namespace plateforge {
namespace {

struct PrefixNumber {
  std::string prefix;
  double number;
  bool used = false;

  // Whole name components, so that "backbone.1" leaves "backbone.10" alone.
  bool matches(const std::string& name) const {
    return name.starts_with(prefix) && (name.size() == prefix.size() || name[prefix.size()] == '.');
  }
};

// PREFIX=NUMBER of an option, the longest prefix first: the first match is the most specific one.
std::vector<PrefixNumber> parse_prefixes(const std::vector<std::string>& texts,
                                         const std::string& option, const std::string& example,
                                         double largest) {
  std::vector<PrefixNumber> parsed;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string digits = equals == std::string::npos ? "" : text.substr(equals + 1);
    char* end = nullptr;
    const double number = std::strtod(digits.c_str(), &end);
    require(equals > 0 && !digits.empty() && *end == '\0' && number >= 0 && number <= largest,
            option, " has '", text, "', expected ", example);
    std::string prefix = text.substr(0, equals);
    if (prefix.ends_with('.')) prefix.pop_back();
    parsed.push_back({prefix, number});
  }
  std::stable_sort(parsed.begin(), parsed.end(),
                   [](const auto& a, const auto& b) { return a.prefix.size() > b.prefix.size(); });
  return parsed;
}

std::string top_level_names(const torch::nn::Module& network) {
  std::set<std::string> names;
  for (const auto& item : network.named_parameters()) {
    names.insert(item.key().substr(0, item.key().find('.')));
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// The number of the most specific prefix, or `otherwise`.
double number_of(const std::string& name, std::vector<PrefixNumber>& numbers, double otherwise) {
  double number = otherwise;
  bool found = false;
  for (PrefixNumber& candidate : numbers) {
    if (!candidate.matches(name)) continue;
    if (!found) number = candidate.number;
    found = candidate.used = true;
  }
  return number;
}

const std::string kEncoder = "encoder.", kLayers = "encoder.layers.";

// Number in "encoder.layers.NUMBER.".
int64_t layer_number(const std::string& name) { return std::stoll(name.substr(kLayers.size())); }

int64_t encoder_layers(const torch::nn::Module& network) {
  int64_t layers = 0;
  for (const auto& item : network.named_parameters())
    if (item.key().starts_with(kLayers)) layers = std::max(layers, layer_number(item.key()) + 1);
  return layers;
}

// How many layers lie between a parameter and what reads the encoder; 0 for all outside of it and
// for the norm behind its last layer.
double depth_below_top(const std::string& name, int64_t layers) {
  if (name.starts_with(kLayers)) return static_cast<double>(layers - layer_number(name));
  const bool first = name.starts_with(kEncoder) && !name.starts_with("encoder.norm.");
  return first && layers > 0 ? static_cast<double>(layers + 1) : 0;
}

void require_used(const std::vector<PrefixNumber>& numbers, const std::string& option,
                  const torch::nn::Module& network) {
  for (const PrefixNumber& number : numbers)
    require(number.used, option, " names '", number.prefix,
            "' but no parameter starts with it; the network has ", top_level_names(network));
}

}  // namespace

std::vector<ParamGroup> make_param_groups(torch::nn::Module& network, const OptimConfig& config) {
  auto multipliers = parse_prefixes(config.lr_multipliers, "optim.lr_multipliers",
                                    "PREFIX=FACTOR such as backbone=0.1", 1e6);
  const auto layers = encoder_layers(network);
  require(config.layer_decay == 1 || layers > 0,
          "optim.layer_decay is for networks with encoder.layers; this one has ",
          top_level_names(network));
  std::vector<ParamGroup> groups;
  for (auto& item : network.named_parameters()) {
    const double factor = number_of(item.key(), multipliers, 1) *
                          std::pow(config.layer_decay, depth_below_top(item.key(), layers));
    if (factor == 0) item.value().requires_grad_(false);
    if (!item.value().requires_grad()) continue;

    const bool is_weight = item.value().dim() > 1 && item.key().ends_with("weight");
    const double decay = is_weight ? config.weight_decay : 0;
    const bool scale = item.key().ends_with("_scale");
    auto group = std::find_if(groups.begin(), groups.end(), [&](const ParamGroup& g) {
      return g.lr_multiplier == factor && g.weight_decay == decay && g.multiplicative == scale;
    });
    if (group == groups.end()) {
      group = groups.insert(group, ParamGroup{{}, {}, factor, decay, scale});
    }
    group->names.push_back(item.key());
    group->params.push_back(item.value());
  }
  require_used(multipliers, "optim.lr_multipliers", network);
  require(!groups.empty(),
          "optim.lr_multipliers freezes every parameter: nothing is left to train");
  return groups;
}

StagedFreeze::StagedFreeze(torch::nn::Module& network, const OptimConfig& config) {
  auto stages = parse_prefixes(config.freeze_until, "optim.freeze_until",
                               "PREFIX=STEP such as backbone=1000", 1e9);
  for (const auto& item : network.named_parameters()) {
    const auto until = static_cast<int64_t>(number_of(item.key(), stages, 0));
    if (until > 0 && item.value().requires_grad()) frozen_.push_back({item.value(), until});
  }
  require_used(stages, "optim.freeze_until", network);
}

void StagedFreeze::apply(int64_t step) {
  for (auto& [parameter, until] : frozen_) {
    parameter.requires_grad_(step >= until);
    if (step < until) parameter.mutable_grad().reset();
  }
}

std::unique_ptr<Optimizer> make_optimizer(std::vector<ParamGroup> groups,
                                          const OptimConfig& config) {
  if (config.optimizer == "adamw") return make_adamw(std::move(groups), config);
  if (config.optimizer == "schedule_free_adamw") {
    require(config.ema_decay == 0,
            "schedule_free_adamw averages the weights itself: set optim.ema_decay=0");
    return make_schedule_free_adamw(std::move(groups), config);
  }
  fail("unknown optimizer '", config.optimizer, "'; known: adamw, schedule_free_adamw");
}

torch::Tensor clip_grad_norm(const std::vector<ParamGroup>& groups, double limit) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> grads;
  for (const ParamGroup& group : groups) {
    for (const torch::Tensor& param : group.params) {
      if (param.grad().defined()) grads.push_back(param.grad());
    }
  }
  if (grads.empty()) return torch::zeros({});
  const auto norm = torch::stack(at::_foreach_norm(grads)).norm();
  if (limit > 0) at::_foreach_mul_(grads, (limit / (norm + 1e-6)).clamp_max(1.0));
  return norm;
}

}  // namespace plateforge
