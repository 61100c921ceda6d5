#pragma once

#include <torch/types.h>

#include <set>
#include <string>
#include <vector>

#include "compress/quantize/adaround.h"
#include "compress/quantize/bias_correction.h"
#include "compress/quantize/calibrate.h"
#include "compress/quantize/equalize.h"
#include "compress/quantize/observers.h"
#include "compress/quantize/placement.h"
#include "models/graph/graph.h"

namespace plateforge {

struct QuantizeOptions {
  QuantProfile profile = QuantProfile::int8_u8;
  Observer observer = Observer::mse;  // logits always take min_max: none may be clipped
  Equalization equalization = Equalization::group;
  double smooth_norms = 0.5;  // strength of SmoothQuant; 0 = leave LayerNorms as they are
  BiasCorrection bias_correction = BiasCorrection::sequential;
  bool reduce_range = false;  // seven-bit weights
  AdaRoundOptions adaround = {};
};

// False for what needs no more than the weights.
bool needs_pictures(const QuantizeOptions& options);

// What is decided layer by layer.
struct LayerChoices {
  LayerPrecisions precisions;
  std::set<std::string> adaround;  // layers that learn how to round
};

// How a quantised layer's output differs from the float network's.
struct LayerReport {
  std::string layer;
  LayerPrecision precision = LayerPrecision::int8;
  bool adaround = false;
  // Signal to quantisation noise, dB, all layers before it quantised as well; NaN without pictures.
  double sqnr = 0;
};

// Post-training quantisation of one network. The pictures' ranges are taken once, at construction;
// build() may then be called for several choices.
class PostTrainingQuantizer {
 public:
  // `batches` [n, 3, H, W] float, two pictures or more where any are needed. The graph is
  // simplified and equalised. Throws Error for fewer pictures, for one without layers or already
  // quantised, and for values that are not finite.
  PostTrainingQuantizer(Graph graph, std::vector<torch::Tensor> batches,
                        const QuantizeOptions& options);

  // The float network that build() quantises.
  const Graph& graph() const { return graph_; }
  std::vector<std::string> layers() const { return layer_names(graph_); }
  const std::vector<std::string>& equalized_layers() const { return equalized_layers_; }
  int64_t pictures() const;  // that were looked at
  // Learned roundings are remembered for the builds that follow.
  Graph build(const LayerChoices& choices);
  // On some of the calibration pictures, in order of the layers.
  std::vector<LayerReport> report(const Graph& quantized, const LayerChoices& choices) const;

 private:
  QuantizerScale activation_scale(const ActivationQuantizer& quantizer) const;
  torch::Tensor weight_scale(const WeightQuantizer& quantizer, const Placement& placement,
                             const std::vector<QuantizerScale>& activations) const;

  Graph graph_;
  std::vector<torch::Tensor> batches_, few_batches_;
  QuantizeOptions options_;
  std::vector<std::string> equalized_layers_;
  TensorsStatistics statistics_;
  LearnedWeights learned_;
};

const char* precision_name(LayerPrecision precision);

}  // namespace plateforge
