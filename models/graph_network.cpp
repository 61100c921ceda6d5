#include "models/graph_network.h"

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
}

torch::Tensor GraphNetwork::forward(const torch::Tensor& images) {
  return execute(graph_, {images}).front();
}

}  // namespace plateforge
