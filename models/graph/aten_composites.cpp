#include "models/graph/aten_composites.h"

namespace plateforge {

TensorId layer_norm(AtenCall& call) {
  const auto x = call.tensor("input");
  op::Mean mean{{}, /*keep_axes=*/true};
  auto reduced = call.shape(x);
  for (auto axis = reduced.size() - call.integers("normalized_shape").size(); axis < reduced.size();
       ++axis) {
    mean.axes.push_back(static_cast<int64_t>(axis));
    reduced[axis] = 1;
  }
  const auto epsilon =
      call.graph().add_literal("epsilon", torch::tensor(call.number("eps"), torch::kFloat));
  const auto centred = call.emit(op::Subtract{}, {x, call.emit(mean, {x}, reduced)});
  const auto squares = call.emit(op::Multiply{}, {centred, centred});
  const auto variance = call.emit(mean, {squares}, reduced);
  const auto deviation =
      call.emit(op::Sqrt{}, {call.emit(op::Add{}, {variance, epsilon}, reduced)}, reduced);
  auto normed = call.emit(op::Divide{}, {centred, deviation});
  if (call.has("weight")) normed = call.emit(op::Multiply{}, {normed, call.tensor("weight")});
  if (call.has("bias")) normed = call.emit(op::Add{}, {normed, call.tensor("bias")});
  return normed;
}

TensorId silu(AtenCall& call) {
  const auto x = call.tensor("self");
  return call.emit(op::Multiply{}, {x, call.emit(op::Sigmoid{}, {x})});
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
