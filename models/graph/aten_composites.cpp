#include "models/graph/aten_composites.h"

#include "models/graph/gelu.h"

namespace plateforge {
namespace {

// (x - mean) / sqrt(variance + eps) with `mean` over x, whose results have the shape `reduced`.
TensorId standardize(AtenCall& call, TensorId x, const op::Mean& mean, const Shape& reduced) {
  const auto shape = call.shape(x);
  const auto epsilon =
      call.graph().add_literal("epsilon", torch::tensor(call.number("eps"), torch::kFloat));
  const auto centred = call.emit(op::Subtract{}, {x, call.emit(mean, {x}, reduced)}, shape);
  const auto squares = call.emit(op::Multiply{}, {centred, centred}, shape);
  const auto variance = call.emit(mean, {squares}, reduced);
  const auto deviation =
      call.emit(op::Sqrt{}, {call.emit(op::Add{}, {variance, epsilon}, reduced)}, reduced);
  return call.emit(op::Divide{}, {centred, deviation}, shape);
}

}  // namespace

TensorId layer_norm(AtenCall& call) {
  const auto x = call.tensor("input");
  op::Mean mean{{}, /*keep_axes=*/true};
  auto reduced = call.shape(x);
  for (auto axis = reduced.size() - call.integers("normalized_shape").size(); axis < reduced.size();
       ++axis) {
    mean.axes.push_back(static_cast<int64_t>(axis));
    reduced[axis] = 1;
  }
  auto normed = standardize(call, x, mean, reduced);
  if (call.has("weight")) normed = call.emit(op::Multiply{}, {normed, call.tensor("weight")});
  if (call.has("bias")) normed = call.emit(op::Add{}, {normed, call.tensor("bias")});
  return normed;
}

TensorId group_norm(AtenCall& call) {
  const auto x = call.tensor("input");
  const auto shape = call.shape(x);
  const auto groups = call.integer("num_groups");
  const Shape grouped{shape.at(0), groups, elements(shape) / shape[0] / groups};
  const auto view = call.emit(op::Reshape{grouped}, {x}, grouped);
  const auto normed = standardize(call, view, {{2}, /*keep_axes=*/true}, {shape[0], groups, 1});
  auto result = call.emit(op::Reshape{shape}, {normed});
  // [C] as it broadcasts over the channels.
  Shape channels(shape.size() - 1, 1);
  channels[0] = shape.at(1);
  const auto spread = [&](const char* name) {
    return call.emit(op::Reshape{channels}, {call.tensor(name)}, channels);
  };
  if (call.has("weight")) result = call.emit(op::Multiply{}, {result, spread("weight")});
  if (call.has("bias")) result = call.emit(op::Add{}, {result, spread("bias")});
  return result;
}

TensorId silu(AtenCall& call) {
  const auto x = call.tensor("self");
  return call.emit(op::Multiply{}, {x, call.emit(op::Sigmoid{}, {x})});
}

TensorId gelu(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto emit = [&](Op op, const std::vector<TensorId>& inputs) {
    return call.emit(std::move(op), inputs);
  };
  return call.text("approximate") == "tanh" ? tanh_gelu(call.graph(), x, emit)
                                            : erf_gelu(call.graph(), x, emit);
}

TensorId hard_swish(AtenCall& call) {
  const auto x = call.tensor("self");
  auto& graph = call.graph();
  const auto shifted = call.emit(op::Add{}, {x, graph.add_literal("three", torch::tensor(3.F))});
  const auto gate = call.emit(op::Clamp{0, 6}, {shifted});
  const auto sixth = graph.add_literal("sixth", torch::tensor(1.F / 6));
  return call.emit(op::Multiply{}, {x, call.emit(op::Multiply{}, {gate, sixth})});
}

}  // namespace plateforge
