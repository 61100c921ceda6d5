#pragma once

#include <torch/nn/module.h>

#include <functional>

#include "models/graph/graph.h"
#include "models/network.h"

namespace plateforge {

// Runs the module once on zeros, in eval mode and without gradients (both restored afterwards), and
// records what it computed. Parameters and buffers are recognised by identity and keep their names.
// `input_shape` is the shape of the one float input; -1 as its first extent leaves the batch open:
// the module is then traced at two batch sizes and what differs scales with the batch.
// Throws Error for an operation outside the table, naming it and the node it reads from.
using Forward = std::function<torch::Tensor(const torch::Tensor&)>;
Graph trace(torch::nn::Module& module, const Forward& forward, const Shape& input_shape);
// A GraphNetwork is not run: its graph is returned, for the batch asked for.
Graph trace(Network& network, const Shape& input_shape);

}  // namespace plateforge
