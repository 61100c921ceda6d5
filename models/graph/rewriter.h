#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// The graph with nodes inserted: a rewriting pass walks the old nodes and appends to the new ones
// in order.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph) : graph_(graph), old_(std::move(graph.nodes)) {
    graph_.nodes.clear();
  }
  const std::vector<Node>& old_nodes() const { return old_; }
  void keep(const Node& node) { graph_.nodes.push_back(node); }
  TensorId add(Op op, const std::string& name, std::vector<TensorId> inputs, Shape shape) {
    return graph_.add_node(std::move(op), name, std::move(inputs), std::move(shape));
  }
  // The last node added computes `tensor` from now on, under its name.
  void rename_last(TensorId tensor) {
    graph_.nodes.back().output = tensor;
    graph_.nodes.back().name = graph_.tensor(tensor).name;
  }

 private:
  Graph& graph_;
  std::vector<Node> old_;
};

}  // namespace plateforge
