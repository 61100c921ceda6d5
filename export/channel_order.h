#pragma once

#include "models/graph/graph.h"

namespace plateforge {

// Renumbers channels so that a strided slice of them becomes a run: the convolution that computes
// them writes those that the slice keeps first, and every convolution that reads them has its
// weights' columns moved alike. What the graph computes stays the same up to the order of sums.
// Runtimes that keep the channels of a pixel together copy a run many times faster: with two such
// slices a reader's int8 inference took 0.91 (ONNX Runtime) and 0.79 (OpenVINO) of the time.
// Where the new order would reach what cannot follow it (a reshape, the graph's output), the slice
// stays.
void line_up_slices(Graph& graph);

}  // namespace plateforge
