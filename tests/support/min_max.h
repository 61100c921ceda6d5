#pragma once

#include <torch/utils.h>

#include <map>
#include <memory>
#include <set>

#include "models/graph/execute.h"
#include "models/graph/passes.h"
#include "models/graph/rewriter.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"

namespace plateforge {

// The plainest quantiser there is, for tests of what comes after one: the range of every tensor is
// what a few images make of it. Form and placement are those of the profile of that name.
class MinMaxQuantizer {
 public:
  MinMaxQuantizer(Network& network, const torch::Tensor& images, const std::string& profile)
      : profile_(profile),
        graph_(trace(network, {-1, images.size(1), images.size(2), images.size(3)})) {
    network.eval();
    simplify(graph_);
    note(graph_.inputs[0], images);
    const torch::NoGradGuard no_grad;
    execute(graph_, {images},
            [&](const Node& node, const torch::Tensor& value) { note(node.output, value); });
  }

  std::shared_ptr<GraphNetwork> run() {
    const torch::NoGradGuard no_grad;
    std::set<TensorId> wanted;
    for (const auto& node : graph_.nodes) {
      if (!has_weight(node)) continue;
      wanted.insert(profile_ == "int8-u8" ? source(node.inputs[0]) : node.inputs[0]);
      if (profile_ == "int8-u8") wanted.insert(activated(node.output));
    }
    std::map<TensorId, TensorId> instead;
    Rewriter rewriter(graph_);
    const auto quantize = [&](TensorId id) {
      if (wanted.count(id) && profile_ != "int8-weights") instead[id] = add(rewriter, id);
    };
    for (const auto id : graph_.inputs) quantize(id);
    for (const auto& old : rewriter.old_nodes()) {
      auto node = old;
      if (has_weight(node)) node.inputs[1] = add_weight(rewriter, node.inputs[1]);
      for (auto& id : node.inputs) id = instead.count(id) ? instead.at(id) : id;
      rewriter.keep(node);
      quantize(node.output);
    }
    for (auto& id : graph_.outputs) id = instead.count(id) ? instead.at(id) : id;
    return std::make_shared<GraphNetwork>(std::move(graph_));
  }

 private:
  static bool has_weight(const Node& node) { return node.as<op::Conv>() || node.as<op::Linear>(); }

  void note(TensorId id, const torch::Tensor& value) {
    ranges_[id] = {value.min().item<double>(), value.max().item<double>()};
  }

  // The tensor that what is only pooled, sliced or reshaped comes from.
  TensorId source(TensorId id) const {
    const auto* node = graph_.producer(id);
    const bool passes =
        node && (node->as<op::MaxPool>() || node->as<op::Upsample>() || node->as<op::Slice>() ||
                 node->as<op::Reshape>() || node->as<op::Permute>());
    return passes ? source(node->inputs[0]) : id;
  }
  TensorId activated(TensorId id) const {
    const auto readers = graph_.readers(id);
    if (readers.size() != 1) return id;
    const auto& node = graph_.nodes[readers[0]];
    return node.as<op::Relu>() || node.as<op::Clamp>() ? node.output : id;
  }

  TensorId constant(const std::string& name, const torch::Tensor& value) {
    return graph_.add_tensor(name, value.sizes().vec(), Origin::buffer, value);
  }

  TensorId add(Rewriter& rewriter, TensorId id) {
    const auto name = graph_.tensor(id).name + ".quantizer";
    const auto shape = graph_.shape(id);
    if (profile_ == "int8-dynamic")
      return rewriter.add(op::DynamicFakeQuantize{}, name, {id}, shape);
    const auto [low, high] = ranges_.at(id);
    const bool is_signed = profile_ == "int8-s8";
    const double least = std::min(low, 0.0), most = std::max(high, 0.0);
    const double step = is_signed ? std::max(-least, most) / 127 : (most - least) / 255;
    const auto scale = constant(name + ".scale", torch::tensor(step, torch::kFloat));
    const auto zero =
        constant(name + ".zero_point",
                 torch::tensor(is_signed ? 0 : std::lround(-least / step), torch::kInt));
    const auto o = is_signed ? op::FakeQuantize{-128, 127, -1} : op::FakeQuantize{0, 255, -1};
    return rewriter.add(o, name, {id, scale, zero}, shape);
  }

  TensorId add_weight(Rewriter& rewriter, TensorId id) {
    const auto name = graph_.tensor(id).name + ".quantizer";
    const auto weight = graph_.tensor(id).value;
    const auto step = weight.flatten(1).abs().amax(1).clamp_min(1e-6) / 127;
    const auto scale = constant(name + ".scale", step);
    const auto zero = constant(name + ".zero_point", torch::zeros(step.sizes(), torch::kInt));
    return rewriter.add(op::FakeQuantize{-127, 127, 0}, name, {id, scale, zero}, graph_.shape(id));
  }

  std::string profile_;
  Graph graph_;
  std::map<TensorId, std::pair<double, double>> ranges_;
};

inline std::shared_ptr<GraphNetwork> quantize_min_max(Network& network, const torch::Tensor& images,
                                                      const std::string& profile) {
  return MinMaxQuantizer(network, images, profile).run();
}

}  // namespace plateforge
