#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

namespace plateforge {

// What a part of training needs to go on exactly: tensors and numbers by name. Numbers are written
// as hexadecimal floats or integers, so that they come back with the same bits.
struct StateDict {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> values;

  void put(const std::string& name, double value);
  void put(const std::string& name, int64_t value);
  // Throw Error for a missing name or text that is no number.
  double number(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  // Throws Error naming the tensor when it is missing.
  const at::Tensor& tensor(const std::string& name) const;
};

// Copies the named tensor of `state` into `target` (modified). Throws Error when it is missing or
// has another shape or type.
void restore_tensor(const StateDict& state, const std::string& name, at::Tensor target);

}  // namespace plateforge
