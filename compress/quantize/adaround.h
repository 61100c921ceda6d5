#pragma once

#include <torch/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// Rounds weights up or down so that the layer's outputs, not its weights, stay near the float
// network's (AdaRound, Nagel et al. 2020, arXiv 2004.10568): W = s * clamp(floor(W/s) + h(V)) with
// a rectified sigmoid h, its regulariser annealed from a soft to a hard choice, Adam on V; the
// inputs are those of the quantised network. Unlike in the paper both terms of the loss are
// relative, the error to that of nearest rounding and the regulariser to the number of weights, so
// that one setting serves every layer. Exact zeros stay zero (pruning masks), and nearest rounding
// is kept where the learned one is not better on the pictures.
struct AdaRoundOptions {
  int64_t iterations = 300;
  int64_t pictures = 8;  // per iteration
  double learning_rate = 1e-2;
  double regularization = 0.1;
};

// What was learned, by layer: weights and the scales of their grid. A layer found here with the
// same scales is not learned again.
struct LearnedWeight {
  torch::Tensor weight, scales;
};
using LearnedWeights = std::map<std::string, LearnedWeight>;

// Rounds the named layers' weights in `quantized`, which insert_quantizers made of `exact`. The
// weights that the graph keeps lie on their quantiser's grid afterwards.
void adaround(const Graph& exact, Graph& quantized, const std::set<std::string>& layers,
              const std::vector<torch::Tensor>& batches, const AdaRoundOptions& options,
              LearnedWeights& learned);

}  // namespace plateforge
