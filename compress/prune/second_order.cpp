#include "compress/prune/second_order.h"

#include <torch/utils.h>

namespace plateforge {
namespace {

using torch::Tensor;

constexpr double kDamping = 0.01;  // of the mean diagonal, as in SparseGPT

// [O, I, ...] as [groups, O / groups, inputs], with the bias behind the inputs.
Tensor rows_of(const PrunableLayer& layer, int64_t groups) {
  auto rows = layer.weight.detach().to(torch::kDouble).contiguous().flatten(1);
  if (layer.bias.defined())
    rows = torch::cat({rows, layer.bias.detach().to(torch::kDouble).unsqueeze(1)}, 1);
  return rows.reshape({groups, -1, rows.size(1)});
}

}  // namespace

LayerProblem::LayerProblem(const PrunableLayer& layer, const LayerInputs& now,
                           const LayerInputs* dense, const std::vector<Tensor>& images)
    : shape_(layer.weight.sizes().vec()), has_bias_(layer.bias.defined()) {
  const torch::NoGradGuard no_grad;
  const auto sums = input_products(now, dense, images, has_bias_);
  const auto damping = kDamping * sums.own.diagonal(0, 1, 2).mean(1).clamp_min(1e-12);  // [groups]
  const auto ridge = torch::diag_embed(damping.unsqueeze(1).expand({-1, sums.own.size(2)}));
  hessian_ = sums.own + ridge;
  const auto factor = torch::linalg_cholesky(hessian_);
  inverse_ = torch::cholesky_inverse(factor);
  const auto rows = rows_of(layer, hessian_.size(0));
  best_ = dense ? torch::cholesky_solve((sums.cross + ridge).bmm(rows.transpose(1, 2)), factor)
                      .transpose(1, 2)
                : rows;
}

Tensor LayerProblem::scores() const {
  const auto diagonal = inverse_.diagonal(0, 1, 2).unsqueeze(1);  // [groups, 1, k]
  const auto costs = best_.abs() / diagonal.sqrt();
  const auto inputs = costs.size(2) - (has_bias_ ? 1 : 0);
  return costs.slice(2, 0, inputs).reshape(shape_).to(torch::kFloat);
}

// Solves for the removed or for the kept weights, whichever are fewer.
Tensor LayerProblem::pruned_row(int64_t group, const Tensor& row, const Tensor& removed) const {
  const auto gone = removed.nonzero().squeeze(1), kept = (~removed).nonzero().squeeze(1);
  const auto block = [](const Tensor& matrix, const Tensor& indices) {
    return matrix.index_select(0, indices).index_select(1, indices);
  };
  const auto solve = [](const Tensor& matrix, const Tensor& right) {
    return torch::cholesky_solve(right.unsqueeze(1), torch::linalg_cholesky(matrix)).squeeze(1);
  };
  if (gone.numel() == 0) return row;
  if (gone.numel() < kept.numel()) {
    const auto force = solve(block(inverse_[group], gone), row.index_select(0, gone));
    const auto moved = row - inverse_[group].index_select(1, gone).mv(force);
    return moved.index_fill(0, gone, 0);
  }
  const auto pull = hessian_[group].mv(row).index_select(0, kept);
  return torch::zeros_like(row).index_copy(0, kept, solve(block(hessian_[group], kept), pull));
}

void LayerProblem::solve(const Tensor& mask, const PrunableLayer& layer) const {
  const torch::NoGradGuard no_grad;
  const auto groups = best_.size(0), outputs = best_.size(1);
  auto removed = ~mask.contiguous().reshape({groups, outputs, -1});
  if (has_bias_) removed = torch::cat({removed, torch::zeros_like(removed.slice(2, 0, 1))}, 2);
  std::vector<Tensor> rows;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t output = 0; output < outputs; ++output)
      rows.push_back(pruned_row(group, best_[group][output], removed[group][output]));
  const auto solved = torch::stack(rows);  // [O, k]
  const auto inputs = solved.size(1) - (has_bias_ ? 1 : 0);
  // A copy rounds to float, so what must be zero is made so there.
  layer.weight.copy_(solved.slice(1, 0, inputs).reshape(shape_));
  layer.weight.mul_(mask);
  if (has_bias_) layer.bias.copy_(solved.select(1, inputs));
}

Tensor wanda_scores(const PrunableLayer& layer, const LayerInputs& inputs,
                    const std::vector<Tensor>& images) {
  const torch::NoGradGuard no_grad;
  Tensor squares;
  for (const auto& batch : images) {
    const auto sum = inputs.rows(batch).square().sum(1, /*keepdim=*/true, torch::kDouble);
    squares = squares.defined() ? squares + sum : sum;  // [groups, 1, inputs]
  }
  const auto weight = layer.weight.detach();
  const auto rows = weight.contiguous().reshape({squares.size(0), -1, squares.size(2)});
  return (rows.abs() * squares.sqrt()).reshape(weight.sizes()).to(torch::kFloat);
}

}  // namespace plateforge
