#include "compress/layer_inputs.h"

#include <torch/utils.h>

#include "compress/layers.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;

Tensor rows_of(const Op& op, const Shape& weight, const Tensor& x) {
  const auto* conv = std::get_if<op::Conv>(&op);
  if (!conv) return x.reshape({1, -1, x.size(-1)});
  const Tensor columns = torch::im2col(x.contiguous(), {weight[2], weight[3]}, conv->dilation,
                                       conv->padding, conv->stride);  // [N, C kH kW, places]
  const auto grouped = columns.reshape({columns.size(0), conv->groups, -1, columns.size(2)});
  return grouped.permute({1, 0, 3, 2}).reshape({conv->groups, -1, grouped.size(2)});
}

Tensor append_one(const Tensor& rows) {
  return torch::cat({rows, torch::ones_like(rows.slice(2, 0, 1))}, 2);
}

}  // namespace

LayerInputs::LayerInputs(const Graph& graph, const std::string& parameter) : before_(graph) {
  before_.outputs.clear();
  for (const auto& node : graph.nodes) {
    if (!node.as<op::Conv>() && !node.as<op::Linear>()) continue;
    const auto& weight = graph.tensor(stored_weight(graph, node.inputs[1]));
    if (weight.name != parameter) continue;
    ops_.push_back(node.op);
    weight_ = weight.shape;
    before_.outputs.push_back(node.inputs[0]);
  }
  TORCH_CHECK(!ops_.empty(), "no layer of the graph reads ", parameter);
  before_.remove_dead();
}

Tensor LayerInputs::rows(const Tensor& images) const {
  const auto inputs = execute(before_, {images});
  std::vector<Tensor> parts;
  for (size_t i = 0; i < ops_.size(); ++i) parts.push_back(rows_of(ops_[i], weight_, inputs[i]));
  return parts.size() == 1 ? parts[0] : torch::cat(parts, 1);
}

InputProducts input_products(const LayerInputs& inputs, const LayerInputs* other,
                             const std::vector<Tensor>& images, bool with_one) {
  const torch::NoGradGuard no_grad;
  const auto add = [](Tensor& sum, const Tensor& x, const Tensor& y) {
    const auto product = torch::bmm(x.transpose(1, 2), y).to(torch::kDouble);
    sum = sum.defined() ? sum.add_(product) : product;
  };
  InputProducts sums;
  for (const auto& batch : images) {
    const auto read = [&](const LayerInputs& source) {
      return with_one ? append_one(source.rows(batch)) : source.rows(batch);
    };
    const auto x = read(inputs);
    add(sums.own, x, x);
    if (other) add(sums.cross, x, read(*other));
  }
  if (!other) sums.cross = sums.own;
  return sums;
}

}  // namespace plateforge
