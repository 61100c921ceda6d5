#pragma once

#include <torch/types.h>

#include <cmath>

#include "models/graph/graph.h"

// The spellings of GELU, x Phi(x), as nodes of a graph. emit(op, inputs) appends a node of x's
// shape and answers with its output.
namespace plateforge {

inline TensorId gelu_number(Graph& graph, const char* name, double value) {
  return graph.add_literal(name, torch::tensor(static_cast<float>(value)));
}

// x (bell + 1) / 2, as ONNX Runtime's and OpenVINO's fusions look for it.
template <class Emit>
TensorId gelu_of_bell(Graph& graph, TensorId x, TensorId bell, const Emit& emit) {
  const auto gate = emit(op::Add{}, {bell, gelu_number(graph, "one", 1)});
  return emit(op::Multiply{}, {emit(op::Multiply{}, {x, gate}), gelu_number(graph, "half", 0.5)});
}

template <class Emit>
TensorId erf_gelu(Graph& graph, TensorId x, const Emit& emit) {
  const auto scaled = emit(op::Divide{}, {x, gelu_number(graph, "root_two", M_SQRT2)});
  return gelu_of_bell(graph, x, emit(op::Erf{}, {scaled}), emit);
}

// Off by 5e-4 at most.
template <class Emit>
TensorId tanh_gelu(Graph& graph, TensorId x, const Emit& emit) {
  const auto square = emit(op::Multiply{}, {x, x});
  const auto cube = emit(
      op::Multiply{}, {emit(op::Multiply{}, {square, x}), gelu_number(graph, "cubic", 0.044715)});
  const auto scaled = emit(op::Multiply{}, {emit(op::Add{}, {x, cube}),
                                            gelu_number(graph, "root", std::sqrt(2 / M_PI))});
  return gelu_of_bell(graph, x, emit(op::Tanh{}, {scaled}), emit);
}

// x sigmoid(1.702 x), off by 2e-2 at most.
template <class Emit>
TensorId sigmoid_gelu(Graph& graph, TensorId x, const Emit& emit) {
  const auto scaled = emit(op::Multiply{}, {x, gelu_number(graph, "steepness", 1.702)});
  return emit(op::Multiply{}, {x, emit(op::Sigmoid{}, {scaled})});
}

}  // namespace plateforge
