#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "models/graph/ops.h"

namespace plateforge {

// The one picture of a network that channel groups, MAC counts, quantiser placement, export and the
// linter read. A network is a list of nodes in execution order, each with one output tensor.

using TensorId = size_t;  // index into Graph::tensors

// Where a tensor's content comes from.
enum class Origin { input, computed, parameter, buffer, literal };

struct GraphTensor {
  std::string name;  // unique; parameters and buffers carry their module name
  Shape shape;
  Origin origin = Origin::computed;
  torch::Tensor value;  // defined for parameters, buffers and literals

  bool is_constant() const { return value.defined(); }
};

struct Node {
  Op op;
  std::string name;  // unique: the module that owns the weight, else operation and number
  std::vector<TensorId> inputs;
  TensorId output = 0;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&op);
  }
  const char* op_name() const;
};

class Graph {
 public:
  std::vector<GraphTensor> tensors;
  std::vector<Node> nodes;  // every input is produced earlier
  std::vector<TensorId> inputs, outputs;

  TensorId add_tensor(const std::string& name, Shape shape, Origin origin,
                      torch::Tensor value = {});
  TensorId add_literal(const std::string& name, const torch::Tensor& value);
  // Appends a node. Its name is made unique by a number; returns its output, named like it.
  TensorId add_node(Op op, const std::string& name, std::vector<TensorId> node_inputs, Shape shape);

  const GraphTensor& tensor(TensorId id) const { return tensors.at(id); }
  const Shape& shape(TensorId id) const { return tensors.at(id).shape; }

  // The node that computes a tensor, or nullptr for inputs and constants.
  const Node* producer(TensorId id) const;
  // Indices of the nodes that read a tensor. An output of the graph has one more, unseen reader.
  std::vector<size_t> readers(TensorId id) const;
  bool is_output(TensorId id) const;
  // Every reader of `from` reads `to` instead, the graph's outputs included.
  void replace_uses(TensorId from, TensorId to);
  // Drops nodes that reach no output and tensors that nothing mentions. Ids change, names stay.
  void remove_dead();

  // `base`, or base_2, base_3, ... when a tensor has that name.
  std::string unique_name(const std::string& base) const;
};

// Elements of a shape; the open batch counts as one.
int64_t elements(const Shape& shape);
std::string shape_text(const Shape& shape);  // "[N, 3, 24, 94]"

// Multiply-accumulates of convolutions and matrix products (0 for the rest), at the graph's batch.
int64_t macs(const Graph& graph, const Node& node);
int64_t macs(const Graph& graph);
// Scalars in a node's parameters; a shared parameter counts once in the graph's total.
int64_t parameters(const Graph& graph, const Node& node);
int64_t parameters(const Graph& graph);

// One line per node: operation, name, inputs, output shape, attributes, MACs, parameters.
std::string dump(const Graph& graph);
// The attributes alone, "stride=[1, 1] groups=1".
std::string attributes_text(const Op& op);

}  // namespace plateforge
