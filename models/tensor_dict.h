#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace plateforge {

// Named tensors, as weight files hold them.
using TensorDict = std::map<std::string, at::Tensor>;

}  // namespace plateforge
