#include "models/graph/trace.h"

// The tracer is the one internal header of LibTorch that we use; it stays in this file.
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include <map>
#include <utility>

#include "configs/error.h"
#include "models/graph/aten_table.h"
#include "models/graph_network.h"

namespace plateforge {
namespace {

namespace jit = torch::jit;
using torch::Tensor;

// Eval mode and no parameter that requires a gradient (the tracer refuses those as constants) for
// the life of the object.
class AtRest {
 public:
  explicit AtRest(torch::nn::Module& module) {
    modes_.emplace_back(&module, module.is_training());
    for (const auto& part : module.modules(/*include_self=*/false)) {
      modes_.emplace_back(part.get(), part->is_training());
    }
    for (const auto& parameter : module.parameters()) {
      if (parameter.requires_grad()) trained_.push_back(parameter);
    }
    module.eval();
    for (auto& parameter : trained_) parameter.requires_grad_(false);
  }
  ~AtRest() {
    // train() walks into children: parents come first in modules(), so children end up right.
    for (auto& [part, mode] : modes_) part->train(mode);
    for (auto& parameter : trained_) parameter.requires_grad_(true);
  }
  AtRest(const AtRest&) = delete;
  AtRest& operator=(const AtRest&) = delete;

 private:
  std::vector<std::pair<torch::nn::Module*, bool>> modes_;
  std::vector<Tensor> trained_;
};

std::shared_ptr<jit::Graph> record(const Forward& forward, const Tensor& input) {
  const auto traced = jit::tracer::trace(
      {input}, [&](const jit::Stack& stack) { return jit::Stack{forward(stack.at(0).toTensor())}; },
      [](const Tensor&) { return std::string(); }, /*strict=*/true,
      /*force_outplace=*/true);
  return traced.first->graph;
}

// What a network may compute instead of an operator outside the table, in words; empty when nothing
// comes near.
std::string nearest_supported(const std::string& kind) {
  static const std::map<std::string, std::string> nearest = {
      {"aten::adaptive_max_pool2d", "max_pool2d with a fixed window"},
      {"aten::celu", "relu or silu"},
      {"aten::conv_transpose2d", "convolution in front of a reshape (pixel shuffle)"},
      {"aten::elu", "relu or silu"},
      {"aten::exp", "softmax or sigmoid"},
      {"aten::hardsigmoid", "clamp(x / 6 + 0.5, 0, 1)"},
      {"aten::instance_norm", "batch_norm"},
      {"aten::leaky_relu", "relu"},
      {"aten::max", "max_pool2d"},
      {"aten::max_pool3d", "max_pool2d and a strided slice of the channels"},
      {"aten::mish", "silu or hardswish"},
      {"aten::prelu", "relu"},
      {"aten::rsqrt", "sqrt and div"},
      {"aten::selu", "relu or silu"},
      {"aten::softplus", "relu"},
      {"aten::stack", "unsqueeze and cat"},
      {"aten::sum", "mean times the number of elements"},
  };
  const auto found = nearest.find(kind);
  return found == nearest.end() ? "" : found->second;
}

// Turns a recorded TorchScript graph into ours.
class Lowering {
 public:
  explicit Lowering(const torch::nn::Module& module) {
    for (const auto& item : module.named_parameters()) {
      names_[item.value().unsafeGetTensorImpl()] = {item.key(), Origin::parameter};
    }
    for (const auto& item : module.named_buffers()) {
      names_[item.value().unsafeGetTensorImpl()] = {item.key(), Origin::buffer};
    }
  }

  Graph lower(const jit::Graph& recorded, const Shape& input_shape) {
    const auto input = graph_.add_tensor("images", input_shape, Origin::input);
    graph_.inputs = {input};
    ids_[recorded.inputs().at(0)] = input;
    for (const jit::Node* node : recorded.nodes()) lower(*node);
    for (const jit::Value* value : recorded.outputs()) graph_.outputs.push_back(tensor(value));
    graph_.remove_dead();
    return std::move(graph_);
  }

 private:
  void lower(const jit::Node& node) {
    const std::string kind = node.kind().toQualString();
    if (kind == "prim::Constant" || kind == "prim::ListConstruct") return;  // read where used
    const auto handler = aten_table().find(kind);
    if (handler == aten_table().end()) refuse(node, kind);
    const auto arguments = read_arguments(node, kind);
    AtenCall call(graph_, kind, arguments, output_shape(node, kind));
    ids_[node.output()] = handler->second(call);
  }

  Shape output_shape(const jit::Node& node, const std::string& kind) const {
    const auto type =
        node.outputs().size() == 1 ? node.output()->type()->cast<c10::TensorType>() : nullptr;
    const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
    require(sizes.has_value(), "cannot trace ", kind, origin(node),
            ": expected one tensor of known shape as its result");
    return *sizes;
  }

  // Arguments by the names of the operator's schema.
  AtenArguments read_arguments(const jit::Node& node, const std::string& kind) {
    const auto* schema = node.maybeSchema();
    require(schema != nullptr, "cannot trace ", kind, origin(node), ": LibTorch has no schema");
    AtenArguments arguments;
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      arguments[schema->arguments().at(i).name()] = argument(node.inputs()[i]);
    }
    return arguments;
  }

  AtenArgument argument(const jit::Value* value) {
    const auto* node = value->node();
    if (ids_.count(value)) return {ids_.at(value), {}, {}};
    if (node->kind() == c10::prim::ListConstruct) return list(node);
    const auto constant = jit::toIValue(value);
    require(constant.has_value(), "cannot trace the value %", value->debugName(), " of ",
            node->kind().toQualString(), origin(*node), ": expected a tensor or a constant");
    if (constant->isTensor()) return {tensor(value), {}, {}};
    return {std::nullopt, {}, *constant};
  }

  AtenArgument list(const jit::Node* node) {
    AtenArgument result;
    c10::List<int64_t> numbers;
    for (const auto* element : node->inputs()) {
      const auto part = argument(element);
      if (part.tensor) {
        result.tensors.push_back(*part.tensor);
      } else {
        require(part.constant.isInt(), "cannot trace a list of anything but tensors or integers");
        numbers.push_back(part.constant.toInt());
      }
    }
    if (result.tensors.empty()) result.constant = numbers;
    return result;
  }

  TensorId tensor(const jit::Value* value) {
    if (const auto known = ids_.find(value); known != ids_.end()) return known->second;
    const auto constant = jit::toIValue(value);
    require(constant && constant->isTensor(), "cannot trace the value %", value->debugName(),
            " of ", value->node()->kind().toQualString(), ": expected a tensor");
    return ids_[value] = constant_tensor(constant->toTensor());
  }

  // A shared parameter is recorded once per use; here it is one tensor.
  TensorId constant_tensor(const Tensor& value) {
    const auto* identity = value.unsafeGetTensorImpl();
    if (const auto known = constants_.find(identity); known != constants_.end()) {
      return known->second;
    }
    const auto named = names_.find(identity);
    const auto [name, origin] = named == names_.end()
                                    ? std::pair<std::string, Origin>{"literal", Origin::literal}
                                    : named->second;
    return constants_[identity] =
               graph_.add_tensor(name, value.sizes().vec(), origin, value.detach());
  }

  // ", which reads max_pool_2 behind backbone.4.block.6", for people.
  std::string origin(const jit::Node& node) const {
    for (const auto* value : node.inputs()) {
      const auto known = ids_.find(value);
      if (known == ids_.end() || graph_.tensor(known->second).is_constant()) continue;
      const auto& read = graph_.tensor(known->second).name;
      const auto layer = nearest_layer(known->second);
      return ", which reads " + read + (layer.empty() || layer == read ? "" : " behind " + layer);
    }
    return "";
  }

  // The last node with parameters in front of a tensor.
  std::string nearest_layer(TensorId tensor) const {
    const auto* node = graph_.producer(tensor);
    while (node && parameters(graph_, *node) == 0) node = graph_.producer(node->inputs[0]);
    return node ? node->name : "";
  }

  [[noreturn]] void refuse(const jit::Node& node, const std::string& kind) const {
    std::string known;
    for (const auto& [name, handler] : aten_table()) known.append(" ").append(name, 6);
    const auto nearest = nearest_supported(kind);
    fail("cannot trace ", kind, origin(node),
         nearest.empty() ? "" : "; nearest supported: ", nearest, "; the graph knows:", known);
  }

  Graph graph_;
  std::map<const c10::TensorImpl*, std::pair<std::string, Origin>> names_;
  std::map<const jit::Value*, TensorId> ids_;
  std::map<const c10::TensorImpl*, TensorId> constants_;
};

Graph trace_at(torch::nn::Module& module, const Forward& forward, const Shape& input_shape) {
  const AtRest at_rest(module);
  const torch::NoGradGuard no_grad;
  const auto parameters = module.parameters();
  const auto device = parameters.empty() ? torch::Device(torch::kCPU) : parameters[0].device();
  const auto options = torch::dtype(torch::kFloat).device(device);
  const auto recorded = record(forward, torch::zeros(input_shape, options));
  return Lowering(module).lower(*recorded, input_shape);
}

constexpr int64_t kFirstBatch = 2, kSecondBatch = 3;

// Extents that differ between the two traces scale with the batch.
Shape open_batch(const Shape& first, const Shape& second, const std::string& where) {
  require(first.size() == second.size(), where, " has another rank at another batch size");
  auto merged = first;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] == second[i]) continue;
    require(first[i] * kSecondBatch == second[i] * kFirstBatch, "extent ", i, " of ", where,
            " does not scale with the batch: ", first[i], " at ", kFirstBatch, ", ", second[i],
            " at ", kSecondBatch);
    merged[i] = -1;
  }
  return merged;
}

Graph open_batch(Graph first, const Graph& second) {
  require(
      first.nodes.size() == second.nodes.size() && first.tensors.size() == second.tensors.size(),
      "the network computes something else at another batch size: export a fixed batch");
  for (size_t i = 0; i < first.tensors.size(); ++i) {
    auto& tensor = first.tensors[i];
    tensor.shape = open_batch(tensor.shape, second.tensors[i].shape, tensor.name);
    require(!tensor.is_constant() || tensor.shape == second.tensors[i].shape, tensor.name,
            " is a constant that depends on the batch size: export a fixed batch");
  }
  for (size_t i = 0; i < first.nodes.size(); ++i) {
    auto& node = first.nodes[i];
    const auto& other = second.nodes[i];
    if (auto* reshape = std::get_if<op::Reshape>(&node.op); reshape && other.as<op::Reshape>()) {
      reshape->shape = open_batch(reshape->shape, other.as<op::Reshape>()->shape, node.name);
    } else {
      require(node.op.index() == other.op.index() &&
                  attributes_text(node.op) == attributes_text(other.op),
              node.name, " changes with the batch size: export a fixed batch");
    }
  }
  return first;
}

// A graph with an open batch for an input of this shape.
Graph with_input(Graph graph, const Shape& input_shape) {
  auto own = graph.shape(graph.inputs.at(0));
  own.at(0) = input_shape.at(0);
  require(own == input_shape, "the network takes images of shape ", shape_text(own), ", not ",
          shape_text(input_shape));
  const auto fix = [&](Shape& shape) {
    std::replace(shape.begin(), shape.end(), int64_t{-1}, own[0]);
  };
  for (auto& tensor : graph.tensors) {
    fix(tensor.shape);
    if (tensor.is_constant()) tensor.value = tensor.value.detach();
  }
  for (auto& node : graph.nodes) {
    if (auto* reshape = std::get_if<op::Reshape>(&node.op)) fix(reshape->shape);
  }
  return graph;
}

}  // namespace

Graph trace(torch::nn::Module& module, const Forward& forward, const Shape& input_shape) {
  TORCH_CHECK(!input_shape.empty(), "a traced module has one input of rank 1 or more");
  if (input_shape[0] >= 0) return trace_at(module, forward, input_shape);
  auto first = input_shape, second = input_shape;
  first[0] = kFirstBatch, second[0] = kSecondBatch;
  return open_batch(trace_at(module, forward, first), trace_at(module, forward, second));
}

Graph trace(Network& network, const Shape& input_shape) {
  if (const auto* known = dynamic_cast<const GraphNetwork*>(&network)) {
    return with_input(known->graph(), input_shape);
  }
  return trace(
      network, [&](const Tensor& images) { return network.forward(images); }, input_shape);
}

}  // namespace plateforge
