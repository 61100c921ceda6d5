#pragma once

#include <torch/nn/module.h>

#include <map>
#include <string>

#include "models/graph/ops.h"
#include "models/tensor_dict.h"

namespace plateforge {

// Gives parameters and buffers other values, which may have other extents: channels are gone. The
// tensors keep their identity, and the options of the convolutions, linear layers and norms around
// them follow. Throws Error, naming `origin`, for a name that the module does not have and for
// another rank or type.
void replace_tensors(torch::nn::Module& module, const TensorDict& tensors,
                     const std::string& origin);

// Parameters and buffers of `module` whose shapes differ from those of the same name in `usual`.
std::map<std::string, Shape> changed_shapes(const torch::nn::Module& module,
                                            const torch::nn::Module& usual);

}  // namespace plateforge
