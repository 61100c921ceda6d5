#include "compress/quantize/quantize.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/quantize/insert_quantizers.h"
#include "compress/quantize/smooth_quant.h"
#include "configs/error.h"
#include "models/graph/execute.h"
#include "models/graph/passes.h"

namespace plateforge {
namespace {

using torch::Tensor;

// Pictures for what walks through the network with all their activations in memory.
constexpr int64_t kFewPictures = 64;

int64_t count(const std::vector<Tensor>& batches) {
  return std::accumulate(batches.begin(), batches.end(), int64_t{0},
                         [](int64_t sum, const Tensor& batch) { return sum + batch.size(0); });
}

std::vector<Tensor> first_pictures(const std::vector<Tensor>& batches, int64_t pictures) {
  std::vector<Tensor> first;
  for (const auto& batch : batches) {
    if (pictures <= 0) break;
    first.push_back(batch.slice(0, 0, std::min(pictures, batch.size(0))));
    pictures -= first.back().size(0);
  }
  return first;
}

// Every tensor that some choice of precisions may quantise.
std::set<TensorId> candidates(const Placement& placement) {
  std::set<TensorId> all;
  for (const auto& quantizer : placement.activations) {
    all.insert(quantizer.tensors.begin(), quantizer.tensors.end());
  }
  return all;
}

// The name under which the quantised graph holds a tensor's integers, or the tensor itself.
std::string quantized_name(const Graph& quantized, TensorId tensor) {
  for (const auto index : quantized.readers(tensor)) {
    const auto& node = quantized.nodes[index];
    if (node.as<op::FakeQuantize>()) return node.name;
  }
  return quantized.tensor(tensor).name;
}

}  // namespace

const char* precision_name(LayerPrecision precision) {
  switch (precision) {
    case LayerPrecision::int8:
      return "int8";
    case LayerPrecision::int16:
      return "int16";
    case LayerPrecision::real:
      return "float";
  }
  throw std::logic_error("precision_name: unknown precision");
}

bool needs_pictures(const QuantizeOptions& options) {
  return options.profile == QuantProfile::int8_u8 || options.profile == QuantProfile::int8_s8 ||
         options.bias_correction != BiasCorrection::none ||
         options.equalization == Equalization::group || options.equalization == Equalization::all;
}

PostTrainingQuantizer::PostTrainingQuantizer(Graph graph, std::vector<Tensor> batches,
                                             const QuantizeOptions& options)
    : graph_(std::move(graph)),
      batches_(std::move(batches)),
      few_batches_(first_pictures(batches_, kFewPictures)),
      options_(options) {
  require(!needs_pictures(options_) || count(batches_) >= 2,
          "calibration needs at least 2 pictures, 300 are a good number; got ", count(batches_));
  simplify(graph_);
  place_quantizers(graph_, options_.profile, {}, options_.reduce_range);  // refuses what it must
  if (options_.smooth_norms > 0 && !batches_.empty())
    smooth_norms(graph_, options_.smooth_norms, batches_);
  equalized_layers_ = equalize(graph_, options_.equalization, batches_);
  const auto placement = place_quantizers(graph_, options_.profile, {}, options_.reduce_range);
  statistics_ =
      calibrate(graph_, batches_, candidates(placement), needs_histogram(options_.observer));
}

int64_t PostTrainingQuantizer::pictures() const { return count(batches_); }

Graph PostTrainingQuantizer::build(const LayerChoices& choices) {
  const torch::NoGradGuard no_grad;
  const auto placement =
      place_quantizers(graph_, options_.profile, choices.precisions, options_.reduce_range);
  std::vector<QuantizerScale> activations;
  for (const auto& quantizer : placement.activations) {
    activations.push_back(activation_scale(quantizer));
  }
  std::vector<Tensor> weights;
  for (const auto& quantizer : placement.weights) {
    weights.push_back(weight_scale(quantizer, placement, activations));
  }
  auto quantized = insert_quantizers(graph_, placement, activations, weights);
  adaround(graph_, quantized, choices.adaround, few_batches_, options_.adaround, learned_);
  correct_biases(graph_, quantized, options_.bias_correction, few_batches_);
  return quantized;
}

QuantizerScale PostTrainingQuantizer::activation_scale(const ActivationQuantizer& quantizer) const {
  auto seen = statistics_.at(quantizer.sources.front());
  for (size_t i = 1; i < quantizer.sources.size(); ++i) {
    seen.merge(statistics_.at(quantizer.sources[i]));
  }
  const auto observer = quantizer.last ? Observer::min_max : options_.observer;
  return quantizer_scale(observe(seen, observer, quantizer.type), quantizer.type);
}

// Wide enough for the weights and, with the scale of what the layer reads, for its int32 bias.
Tensor PostTrainingQuantizer::weight_scale(const WeightQuantizer& quantizer,
                                           const Placement& placement,
                                           const std::vector<QuantizerScale>& activations) const {
  auto scales =
      weight_scales(graph_.tensor(quantizer.weight).value, quantizer.axis, quantizer.type);
  for (const auto& node : graph_.nodes) {
    if (node.inputs.size() < 3 || node.inputs[1] != quantizer.weight) continue;
    for (size_t i = 0; i < activations.size(); ++i) {
      const auto& tensors = placement.activations[i].tensors;
      if (std::find(tensors.begin(), tensors.end(), node.inputs[0]) == tensors.end()) continue;
      const auto& bias = graph_.tensor(node.inputs[2]).value;
      scales = torch::max(scales, smallest_weight_scales(bias, activations[i].scale));
    }
  }
  return scales;
}

std::vector<LayerReport> PostTrainingQuantizer::report(const Graph& quantized,
                                                       const LayerChoices& choices) const {
  const torch::NoGradGuard no_grad;
  struct Power {
    double signal = 0, noise = 0;
  };
  std::map<std::string, std::string> watched;  // in the quantised graph -> in the float one
  for (const auto& node : graph_.nodes) {
    if (!is_layer(graph_, node)) continue;
    const auto output = unit_output(graph_, node);
    watched[quantized_name(quantized, output)] = graph_.tensor(output).name;
  }
  std::map<std::string, Power> powers;
  for (const auto& images : few_batches_) {
    std::map<std::string, Tensor> exact;
    execute(graph_, {images}, [&](const Node& node, const Tensor& x) { exact[node.name] = x; });
    execute(quantized, {images}, [&](const Node& node, const Tensor& x) {
      const auto found = watched.find(node.name);
      if (found == watched.end()) return;
      const auto& reference = exact.at(found->second);
      auto& power = powers[found->second];
      power.signal += reference.square().sum(torch::kDouble).item<double>();
      power.noise += (x - reference).square().sum(torch::kDouble).item<double>();
    });
  }
  std::vector<LayerReport> reports;
  for (const auto& node : graph_.nodes) {
    if (!is_layer(graph_, node)) continue;
    const auto& power = powers[graph_.tensor(unit_output(graph_, node)).name];
    const auto precision = choices.precisions.find(node.name);
    reports.push_back({.layer = node.name,
                       .precision = precision == choices.precisions.end() ? LayerPrecision::int8
                                                                          : precision->second,
                       .adaround = choices.adaround.contains(node.name),
                       .sqnr = 10 * std::log10(power.signal / power.noise)});
  }
  return reports;
}

}  // namespace plateforge
