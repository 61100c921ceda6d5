#pragma once

#include "models/graph/graph.h"

namespace plateforge {

// Scale and shift behind a normalisation, y = n * w + b over the last axis, go into the linear
// layers that alone read y: a LayerNorm then costs two operations less per layer. Only for graphs
// that stay in float: SmoothQuant and quantisers need the scale where it is.
void fold_norm_affines(Graph& graph);

}  // namespace plateforge
