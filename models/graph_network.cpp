#include "models/graph_network.h"

#include <torch/nn/module.h>

#include <algorithm>

#include "configs/error.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

// The submodule at the dotted path of `name`, made where it is missing, and the last component.
std::pair<torch::nn::Module*, std::string> owner_of(torch::nn::Module& root,
                                                    const std::string& name) {
  auto* module = &root;
  size_t start = 0;
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', start)) {
    const auto part = name.substr(start, dot - start);
    const auto children = module->named_children();
    const auto* child = children.find(part);
    module = child ? child->get()
                   : module->register_module(part, std::make_shared<torch::nn::Module>(part)).get();
    start = dot + 1;
  }
  return {module, name.substr(start)};
}

// A ReLU that only feeds quantisers whose range starts at real zero does nothing that they do not:
// a pass over memory saved.
void bypass_clipped_relus(Graph& graph) {
  const auto starts_at_zero = [&](const Node& node) {
    const auto* quantize = node.as<op::FakeQuantize>();
    const auto& zero = quantize ? graph.tensor(node.inputs[2]).value : torch::Tensor();
    return zero.defined() && zero.numel() == 1 && zero.item<int64_t>() == quantize->low;
  };
  for (auto& node : graph.nodes) {
    if (!node.as<op::Relu>() || graph.is_output(node.output)) continue;
    const auto readers = graph.readers(node.output);
    const bool clipped = std::all_of(readers.begin(), readers.end(),
                                     [&](size_t i) { return starts_at_zero(graph.nodes[i]); });
    if (clipped) graph.replace_uses(node.output, node.inputs[0]);
  }
  graph.remove_dead();
}

}  // namespace

GraphNetwork::GraphNetwork(Graph graph) : graph_(std::move(graph)) {
  require(graph_.inputs.size() == 1 && graph_.outputs.size() == 1, "a network has one input and ",
          "one output, this graph ", graph_.inputs.size(), " and ", graph_.outputs.size());
  for (auto& tensor : graph_.tensors) {
    if (!tensor.is_constant()) continue;
    const auto [owner, name] = owner_of(*this, tensor.name);
    const auto copy = tensor.value.detach().clone();
    const bool trains = tensor.origin == Origin::parameter;
    tensor.value =
        trains ? owner->register_parameter(name, copy) : owner->register_buffer(name, copy);
  }
  run_ = graph_;
  bypass_clipped_relus(run_);
}

void learn_scales(Graph& graph) {
  for (const auto& node : graph.nodes) {
    if (node.as<op::FakeQuantize>()) graph.tensors[node.inputs[1]].origin = Origin::parameter;
  }
}

torch::Tensor GraphNetwork::forward(const torch::Tensor& images) {
  return execute(run_, {images}).front();
}

}  // namespace plateforge
