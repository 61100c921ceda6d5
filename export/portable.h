#pragma once

#include "models/graph/graph.h"

namespace plateforge {

// Spells what some runtime would refuse or get wrong in a form that ONNX Runtime, OpenVINO,
// OpenCV 4.6 and TVM all run:
// * x / mean(y) and x * mean(y) with a mean over C, H and W per sample. OpenCV 4.6 broadcasts a
//   computed operand only when it has an extent other than 1 besides the batch. So x and y are
//   viewed as [N, k, A, B], averaged over A and B, the k averages are averaged by a 1x1 convolution
//   into k equal ones, and the division happens in that view; k is the smallest divisor of C*H*W
//   above 1.
// * a mean over H alone, as the average pooling of one column.
// * a mean over the last axis of tokens [N, T, D], as a product with a constant: OpenCV 4.6 reduces
//   images alone.
// * a factor per channel of tokens, as a product with a diagonal matrix: OpenCV 4.6 takes a vector
//   for the channels of an image. fold_norm_affines() leaves few of them.
// * a clamp, as two ReLUs: OpenCV 4.6 refuses Clip with bounds as inputs.
void spell_portably(Graph& graph);

}  // namespace plateforge
