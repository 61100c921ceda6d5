#include "models/graph/aten_composites.h"

#include <cmath>

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

// Spelled as ONNX Runtime's and OpenVINO's fusions look for it.
TensorId gelu(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto number = [&](const char* name, double value) {
    return call.graph().add_literal(name, torch::tensor(static_cast<float>(value)));
  };
  TensorId bell = 0;  // -1..1
  if (call.text("approximate") == "tanh") {
    const auto square = call.emit(op::Multiply{}, {x, x});
    const auto cube = call.emit(
        op::Multiply{}, {call.emit(op::Multiply{}, {square, x}), number("cubic", 0.044715)});
    const auto sum = call.emit(op::Add{}, {x, cube});
    bell = call.emit(op::Tanh{},
                     {call.emit(op::Multiply{}, {sum, number("root", std::sqrt(2 / M_PI))})});
  } else {
    bell = call.emit(op::Erf{}, {call.emit(op::Divide{}, {x, number("root_two", M_SQRT2)})});
  }
  const auto gate = call.emit(op::Add{}, {bell, number("one", 1)});
  return call.emit(op::Multiply{}, {call.emit(op::Multiply{}, {x, gate}), number("half", 0.5)});
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
