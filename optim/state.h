#pragma once

#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace plateforge {

// What a part of training needs to go on exactly: tensors and numbers by name. Numbers are written
// as hexadecimal floats or integers, so that they come back with the same bits.
struct StateDict {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> values;
};

}  // namespace plateforge
