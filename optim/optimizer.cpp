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

std::vector<Multiplier> parse_multipliers(const std::vector<std::string>& texts) {
  std::vector<Multiplier> multipliers;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string number = equals == std::string::npos ? "" : text.substr(equals + 1);
    char* end = nullptr;
    const double factor = std::strtod(number.c_str(), &end);
    require(equals > 0 && !number.empty() && *end == '\0' && factor >= 0 && factor <= 1e6,
            "optim.lr_multipliers has '", text, "', expected PREFIX=FACTOR such as backbone=0.1");
    std::string prefix = text.substr(0, equals);
    if (prefix.ends_with('.')) prefix.pop_back();
    multipliers.push_back({prefix, factor});
  }
  // Longest first: the first match is then the most specific one.
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

}  // namespace

std::vector<ParamGroup> make_param_groups(torch::nn::Module& network, const OptimConfig& config) {
  auto multipliers = parse_multipliers(config.lr_multipliers);
  std::vector<ParamGroup> groups;
  for (auto& item : network.named_parameters()) {
    double factor = 1;
    bool found = false;
    for (Multiplier& multiplier : multipliers) {
      if (!multiplier.matches(item.key())) continue;
      if (!found) factor = multiplier.factor;
      found = multiplier.used = true;
    }
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
  for (const Multiplier& multiplier : multipliers) {
    require(multiplier.used, "optim.lr_multipliers names '", multiplier.prefix,
            "' but no parameter starts with it; the network has ", top_level_names(network));
  }
  require(!groups.empty(),
          "optim.lr_multipliers freezes every parameter: nothing is left to train");
  return groups;
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
