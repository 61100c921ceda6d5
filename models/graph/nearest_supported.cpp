#include <map>
#include <string>

#include "models/graph/aten_table.h"

namespace plateforge {

std::string nearest_supported(const std::string& kind) {
  static const std::map<std::string, std::string> nearest = {
      {"aten::adaptive_max_pool2d", "max_pool2d with a fixed window"},
      {"aten::celu", "relu or silu"},
      {"aten::conv_transpose2d", "convolution in front of a reshape (pixel shuffle)"},
      {"aten::elu", "relu or silu"},
      {"aten::exp", "softmax or sigmoid"},
      {"aten::gelu", "relu, silu or hardswish"},
      {"aten::group_norm", "batch_norm"},
      {"aten::hardsigmoid", "clamp(x / 6 + 0.5, 0, 1)"},
      {"aten::instance_norm", "batch_norm"},
      {"aten::layer_norm", "batch_norm, or mean, sub, mul, sqrt and div"},
      {"aten::leaky_relu", "relu"},
      {"aten::max", "max_pool2d"},
      {"aten::max_pool3d", "max_pool2d and a strided slice of the channels"},
      {"aten::mish", "silu or hardswish"},
      {"aten::prelu", "relu"},
      {"aten::rsqrt", "sqrt and div"},
      {"aten::selu", "relu or silu"},
      {"aten::softplus", "relu"},
      {"aten::stack", "unsqueeze and cat"},
      {"aten::sum", "mean times the number of elements"},
  };
  const auto found = nearest.find(kind);
  return found == nearest.end() ? "" : found->second;
}

}  // namespace plateforge
