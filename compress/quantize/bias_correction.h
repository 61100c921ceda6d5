#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// Rounding moves the mean of a layer's outputs; their biases take it back.
//   fast        what rounding the weight does to the mean input: one constant per channel goes
//               through the layer with both weights (NNCF's fast bias correction)
//   sequential  mean output of the float network minus that of the quantised one, layer after
//               layer, each behind the corrected ones before it (NNCF's bias correction)
enum class BiasCorrection { none, fast, sequential };

const std::vector<std::string>& bias_correction_names();
BiasCorrection find_bias_correction(const std::string& name);  // Error listing the known ones
const std::string& bias_correction_name(BiasCorrection value);

// Corrects the biases of the layers with a quantised weight; layers without a bias stay.
// `quantized` is what insert_quantizers made of `exact`.
void correct_biases(const Graph& exact, Graph& quantized, BiasCorrection method,
                    const std::vector<torch::Tensor>& batches);

}  // namespace plateforge
