#pragma once

#include <string>

#include "models/graph/graph.h"
#include "models/tensor_dict.h"

namespace plateforge {

// A graph as text (JSON) for the metadata of a model file; the values of its constants are kept
// beside it, by name.
std::string write_graph(const Graph& graph);

// Throws Error, naming `origin`, for text that is no graph: broken JSON, an unknown operation or
// attribute, a tensor that is read before it is computed, a constant without a value or of another
// shape.
Graph read_graph(const std::string& text, const TensorDict& constants, const std::string& origin);

// The values of the graph's constants by name.
TensorDict graph_constants(const Graph& graph);

}  // namespace plateforge
