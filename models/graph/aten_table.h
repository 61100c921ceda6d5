#pragma once

#include <torch/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// One argument of a recorded aten call: a tensor, a list of tensors, or a constant.
struct AtenArgument {
  std::optional<TensorId> tensor;
  std::vector<TensorId> tensors;
  c10::IValue constant;
};
using AtenArguments = std::map<std::string, AtenArgument>;

// A recorded aten call on its way into the graph: typed access to its arguments by the names of the
// operator's schema.
class AtenCall {
 public:
  AtenCall(Graph& graph, std::string kind, const AtenArguments& arguments, Shape output_shape)
      : graph_(graph),
        kind_(std::move(kind)),
        arguments_(arguments),
        shape_(std::move(output_shape)) {}

  const std::string& kind() const { return kind_; }
  const Shape& shape() const { return shape_; }  // of the result
  const Shape& shape(TensorId id) const { return graph_.shape(id); }
  Graph& graph() { return graph_; }

  bool has(const std::string& name) const;  // given and not None
  TensorId tensor(const std::string& name) const;
  std::vector<TensorId> tensors(const std::string& name) const;
  // A tensor, or a number as a scalar literal.
  TensorId operand(const std::string& name);
  int64_t integer(const std::string& name) const { return argument(name).constant.toInt(); }
  double number(const std::string& name) const;
  std::string text(const std::string& name) const { return argument(name).constant.toStringRef(); }
  bool flag(const std::string& name) const { return argument(name).constant.toBool(); }
  // A list of two, or one number standing for both.
  Shape pair(const std::string& name) const;
  Shape integers(const std::string& name) const { return argument(name).constant.toIntVector(); }
  // An axis of `of`, counted from the front.
  int64_t axis(const std::string& name, TensorId of) const;

  // A node named after the module of its weight when it has one; the result has the call's shape
  // unless another is given.
  TensorId emit(Op op, std::vector<TensorId> inputs);
  TensorId emit(Op op, std::vector<TensorId> inputs, Shape shape);

  // Throws Error unless `holds`: "cannot trace aten::x: REASON".
  void expect(bool holds, const std::string& reason) const;

 private:
  const AtenArgument& argument(const std::string& name) const { return arguments_.at(name); }

  Graph& graph_;
  std::string kind_;
  const AtenArguments& arguments_;
  Shape shape_;
};

// What each aten operator becomes. Returns the tensor that stands for its result.
using AtenHandler = std::function<TensorId(AtenCall&)>;
const std::map<std::string, AtenHandler>& aten_table();

}  // namespace plateforge
