#include "optim/state.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cstdio>
#include <cstdlib>

#include "configs/error.h"

namespace plateforge {
namespace {

const std::string& find_value(const StateDict& state, const std::string& name) {
  const auto it = state.values.find(name);
  require(it != state.values.end(), "the saved training state lacks the value '", name, "'");
  return it->second;
}

}  // namespace

void StateDict::put(const std::string& name, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%a", value);
  values[name] = text;
}

void StateDict::put(const std::string& name, int64_t value) {
  values[name] = std::to_string(value);
}

double StateDict::number(const std::string& name) const {
  const std::string& text = find_value(*this, name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  require(!text.empty() && *end == '\0', "the saved training state has '", text, "' where '", name,
          "' should be a number");
  return value;
}

int64_t StateDict::integer(const std::string& name) const {
  const std::string& text = find_value(*this, name);
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  require(!text.empty() && *end == '\0', "the saved training state has '", text, "' where '", name,
          "' should be an integer");
  return value;
}

const at::Tensor& StateDict::tensor(const std::string& name) const {
  const auto it = tensors.find(name);
  require(it != tensors.end(), "the saved training state lacks the tensor '", name, "'");
  return it->second;
}

void restore_tensor(const StateDict& state, const std::string& name, at::Tensor target) {
  const at::Tensor& saved = state.tensor(name);
  require(saved.sizes() == target.sizes() && saved.scalar_type() == target.scalar_type(),
          "the saved training state has '", name, "' as ", saved.scalar_type(), " ", saved.sizes(),
          " but this run needs ", target.scalar_type(), " ", target.sizes());
  const torch::NoGradGuard no_grad;
  target.copy_(saved);
}

}  // namespace plateforge
