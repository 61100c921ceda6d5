#pragma once

#include <torch/types.h>

#include <vector>

#include "compress/layer_inputs.h"
#include "compress/layers.h"

namespace plateforge {

// Layer-wise second-order pruning (Optimal Brain Surgeon, Hassibi and Stork 1993; per layer as in
// OBC, Frantar and Alistarh 2022, arXiv 2208.11580, and SparseGPT, arXiv 2301.00774). Wanted are a
// row w of few weights that gives on inputs x what the dense row w0 gave on the dense network's
// inputs x0:  minimise  sum (w.x - w0.x0)^2 + damping |w - w0|^2.  With H = sum x x^T + damping and
// C = sum x x0^T + damping the unpruned optimum is H^-1 C w0; removing the weights R of a row costs
// it w_R^T ([H^-1]_RR)^-1 w_R.

// The sums of one layer and what follows from them.
class LayerProblem {
 public:
  // `dense` is the same layer of the unpruned network, or nullptr where that is still the case.
  LayerProblem(const PrunableLayer& layer, const LayerInputs& now, const LayerInputs* dense,
               const std::vector<torch::Tensor>& images);

  // Root of what removing a weight alone costs, |w| / sqrt([H^-1]_pp), in the weight's shape.
  torch::Tensor scores() const;
  // Writes the best weights (and bias) with zeros where the mask is false into the layer.
  void solve(const torch::Tensor& mask, const PrunableLayer& layer) const;

 private:
  torch::Tensor pruned_row(int64_t group, const torch::Tensor& row,
                           const torch::Tensor& removed) const;

  Shape shape_;
  bool has_bias_;
  torch::Tensor hessian_, inverse_;  // [groups, k, k] double; k counts the bias last
  torch::Tensor best_;               // [groups, O / groups, k], the optimum without zeros
};

// |w| times the norm of the input it multiplies, in the weight's shape (Wanda, Sun et al. 2023,
// arXiv 2306.11695).
torch::Tensor wanda_scores(const PrunableLayer& layer, const LayerInputs& inputs,
                           const std::vector<torch::Tensor>& images);

}  // namespace plateforge
