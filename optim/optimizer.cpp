#include "optim/optimizer.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "configs/error.h"
#include "optim/update_rules.h"

namespace plateforge {
namespace {

struct Multiplier {
  std::string prefix;
  double factor;
  bool used = false;

  // Whole name components, so that "backbone.1" leaves "backbone.10" alone.
  bool matches(const std::string& name) const {
    return name.starts_with(prefix) && (name.size() == prefix.size() || name[prefix.size()] == '.');
  }
};

// PREFIX=NUMBER of an option, the longest prefix first: the first match is the most specific one.
std::vector<Multiplier> parse_prefixes(const std::vector<std::string>& texts,
                                       const std::string& option, const std::string& example) {
  std::vector<Multiplier> multipliers;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string number = equals == std::string::npos ? "" : text.substr(equals + 1);
    char* end = nullptr;
    const double factor = std::strtod(number.c_str(), &end);
    require(equals > 0 && !number.empty() && *end == '\0' && factor >= 0 && factor <= 1e9, option,
            " has '", text, "', expected ", example);
    std::string prefix = text.substr(0, equals);
    if (prefix.ends_with('.')) prefix.pop_back();
    multipliers.push_back({prefix, factor});
  }
  std::stable_sort(multipliers.begin(), multipliers.end(),
                   [](const auto& a, const auto& b) { return a.prefix.size() > b.prefix.size(); });
  return multipliers;
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
double number_of(const std::string& name, std::vector<Multiplier>& multipliers, double otherwise) {
  double factor = otherwise;
  bool found = false;
  for (Multiplier& multiplier : multipliers) {
    if (!multiplier.matches(name)) continue;
    if (!found) factor = multiplier.factor;
    found = multiplier.used = true;
  }
  return factor;
}

void require_used(const std::vector<Multiplier>& multipliers, const std::string& option,
                  const torch::nn::Module& network) {
  for (const Multiplier& multiplier : multipliers)
    require(multiplier.used, option, " names '", multiplier.prefix,
            "' but no parameter starts with it; the network has ", top_level_names(network));
}

}  // namespace

std::vector<ParamGroup> make_param_groups(torch::nn::Module& network, const OptimConfig& config) {
  auto multipliers = parse_prefixes(config.lr_multipliers, "optim.lr_multipliers",
                                    "PREFIX=FACTOR such as backbone=0.1");
  std::vector<ParamGroup> groups;
  for (auto& item : network.named_parameters()) {
    const double factor = number_of(item.key(), multipliers, 1);
    if (factor == 0) item.value().requires_grad_(false);
    if (!item.value().requires_grad()) continue;

    const double decay = item.value().dim() <= 1 ? 0 : config.weight_decay;
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
                               "PREFIX=STEP such as backbone=1000");
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
