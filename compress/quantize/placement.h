#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compress/quantize/quantizer.h"
#include "models/graph/graph.h"

namespace plateforge {

// What the integers are for.
//   int8_u8       ONNX Runtime, OpenVINO: u8 activations, quantised where a layer reads, and where
//                 it writes what stays on integers
//   int8_s8       TensorRT: s8 symmetric activations, quantised where a layer reads
//   int8_dynamic  activations by each run's own range; weights
//   int8_weights  weights alone, computed in float
enum class QuantProfile { int8_u8, int8_s8, int8_dynamic, int8_weights };

const std::vector<std::string>& quant_profile_names();
QuantProfile find_quant_profile(const std::string& name);  // Error listing the known ones
const std::string& quant_profile_name(QuantProfile profile);

// How a layer computes: int16 widens the activations it reads and writes, its weights stay int8.
enum class LayerPrecision { int8, int16, real };
using LayerPrecisions = std::map<std::string, LayerPrecision>;  // absent = int8

// Layers are the nodes that multiply with weights: Conv, Linear, MatMul with a constant matrix on
// the right. Their names, in order.
std::vector<std::string> layer_names(const Graph& graph);
bool is_layer(const Graph& graph, const Node& node);
// The axis of a layer's weight that counts outputs.
int64_t weight_axis(const Node& layer);
// What a layer hands on: its output, or that of the ReLU or clamp that alone reads it.
TensorId unit_output(const Graph& graph, const Node& layer);

// Tensors that share one scale: a source and what pooling, slicing and reshaping make of it, or the
// parts of a concatenation.
struct ActivationQuantizer {
  std::vector<TensorId> tensors;  // in order of computation
  std::vector<TensorId> sources;  // those that the others are made of
  QuantizerType type;
  bool last = false;  // no layer reads it: logits, regressions
};

struct WeightQuantizer {
  TensorId weight = 0;
  int64_t axis = 0;
  QuantizerType type;
  std::vector<std::string> layers;  // that read it
};

struct Placement {
  std::vector<ActivationQuantizer> activations;
  std::vector<TensorId> dynamic;  // quantised by their own range
  std::vector<WeightQuantizer> weights;
  // Nodes that read the quantised tensor while others read the exact one; absent = all readers do.
  std::map<TensorId, std::set<std::string>> readers;
};

// Where a simplified graph gets its quantisers (rules: ONNX Runtime's QDQ selectors, OpenVINO's
// low-precision transformations, NVIDIA's ModelOpt).
//   int8_u8  What a layer reads; what a convolution writes (with ReLU or clamp: no runtime has an
//            integer convolution that writes floats), and a matrix product where a layer reads it
//            again. Residual Adds of such values. One scale through max-pool, slice, reshape,
//            permute and through a concatenation of quantised parts. An average pool of quantised
//            values writes quantised ones, so that it runs as a depthwise convolution. Nothing at
//            means, divisions, softmax, products of activations: a transformer's residual stream,
//            LayerNorms and GELUs stay in float.
//   int8_s8  What a layer reads, and the residual branch of an Add; not the layers that have fewer
//            than 16 channels on both sides, which TensorRT runs faster in float.
// Throws Error for a name in `precisions` that is no layer, and for a graph that already has
// quantisers.
Placement place_quantizers(const Graph& graph, QuantProfile profile,
                           const LayerPrecisions& precisions, bool reduce_range);

}  // namespace plateforge
