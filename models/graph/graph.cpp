#include "models/graph/graph.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace plateforge {
namespace {

std::string text(const Shape& values) { return shape_text(values); }
std::string text(bool value) { return value ? "true" : "false"; }
std::string text(int64_t value) { return std::to_string(value); }
std::string text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

const char* Node::op_name() const {
  return std::visit([](const auto& o) { return o.kName; }, op);
}

TensorId Graph::add_tensor(const std::string& name, Shape shape, Origin origin,
                           torch::Tensor value) {
  tensors.push_back({unique_name(name), std::move(shape), origin, std::move(value)});
  return tensors.size() - 1;
}

TensorId Graph::add_literal(const std::string& name, const torch::Tensor& value) {
  return add_tensor(name, value.sizes().vec(), Origin::literal, value);
}

TensorId Graph::add_node(Op op, const std::string& name, std::vector<TensorId> node_inputs,
                         Shape shape) {
  const auto output = add_tensor(name, std::move(shape), Origin::computed);
  nodes.push_back({std::move(op), tensors[output].name, std::move(node_inputs), output});
  return output;
}

const Node* Graph::producer(TensorId id) const {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.output == id; });
  return found == nodes.end() ? nullptr : &*found;
}

std::vector<size_t> Graph::readers(TensorId id) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto& read = nodes[i].inputs;
    if (std::find(read.begin(), read.end(), id) != read.end()) found.push_back(i);
  }
  return found;
}

bool Graph::is_output(TensorId id) const {
  return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

void Graph::replace_uses(TensorId from, TensorId to) {
  for (auto& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::remove_dead() {
  std::vector<bool> live(tensors.size(), false);
  for (const auto id : outputs) live[id] = true;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (!live[node->output]) continue;
    for (const auto id : node->inputs) live[id] = true;
  }
  std::erase_if(nodes, [&](const Node& node) { return !live[node.output]; });
  for (const auto id : inputs) live[id] = true;

  std::vector<TensorId> renumbered(tensors.size());
  std::vector<GraphTensor> kept;
  for (TensorId id = 0; id < tensors.size(); ++id) {
    renumbered[id] = kept.size();
    if (live[id]) kept.push_back(std::move(tensors[id]));
  }
  tensors = std::move(kept);
  const auto renumber = [&](std::vector<TensorId>& ids) {
    for (auto& id : ids) id = renumbered[id];
  };
  renumber(inputs), renumber(outputs);
  for (auto& node : nodes) renumber(node.inputs), node.output = renumbered[node.output];
}

std::string Graph::unique_name(const std::string& base) const {
  const auto taken = [&](const std::string& name) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const GraphTensor& tensor) { return tensor.name == name; });
  };
  auto name = base;
  for (int i = 2; taken(name); ++i) name = base + "_" + std::to_string(i);
  return name;
}

int64_t elements(const Shape& shape) {
  int64_t count = 1;
  for (const auto extent : shape) count *= extent < 0 ? 1 : extent;
  return count;
}

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) out += ", ";
    out += shape[i] < 0 ? "N" : std::to_string(shape[i]);
  }
  return out + "]";
}

int64_t macs(const Graph& graph, const Node& node) {
  const auto& output = graph.shape(node.output);
  return std::visit(
      Overloaded{
          [&](const op::Conv&) {  // every output element sums over I/groups * kH * kW
            const auto& weight = graph.shape(node.inputs[1]);
            return elements(output) * (elements(weight) / weight[0]);
          },
          [&](const op::Linear&) { return elements(output) * graph.shape(node.inputs[1])[1]; },
          [&](const op::MatMul&) { return elements(output) * graph.shape(node.inputs[0]).back(); },
          [](const auto&) { return int64_t{0}; }},
      node.op);
}

int64_t macs(const Graph& graph) {
  int64_t total = 0;
  for (const auto& node : graph.nodes) total += macs(graph, node);
  return total;
}

int64_t parameters(const Graph& graph, const Node& node) {
  int64_t total = 0;
  for (const auto id : node.inputs) {
    if (graph.tensor(id).origin == Origin::parameter) total += elements(graph.shape(id));
  }
  return total;
}

int64_t parameters(const Graph& graph) {
  std::set<TensorId> used;
  for (const auto& node : graph.nodes) used.insert(node.inputs.begin(), node.inputs.end());
  int64_t total = 0;
  for (const auto id : used) {
    if (graph.tensor(id).origin == Origin::parameter) total += elements(graph.shape(id));
  }
  return total;
}

std::string attributes_text(const Op& op) {
  std::string out;
  const auto add = [&](const char* key, const auto& value) {
    if (!out.empty()) out += " ";
    out.append(key).append("=").append(text(value));
  };
  std::visit([&](auto o) { o.visit(add); }, op);
  return out;
}

std::string dump(const Graph& graph) {
  std::ostringstream out;
  for (const auto id : graph.inputs) {
    out << "input " << graph.tensor(id).name << " " << shape_text(graph.shape(id)) << "\n";
  }
  for (const auto& node : graph.nodes) {
    out << node.op_name() << " " << node.name << "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      out << (i ? ", " : "") << graph.tensor(node.inputs[i]).name;
    }
    out << ") -> " << shape_text(graph.shape(node.output));
    if (const auto attributes = attributes_text(node.op); !attributes.empty()) {
      out << " " << attributes;
    }
    if (const auto count = macs(graph, node)) out << " macs=" << count;
    if (const auto count = parameters(graph, node)) out << " parameters=" << count;
    out << "\n";
  }
  for (const auto id : graph.outputs) out << "output " << graph.tensor(id).name << "\n";
  return out.str();
}

}  // namespace plateforge
