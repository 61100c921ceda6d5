#pragma once

#include <string>

#include "export/profiles.h"
#include "models/graph/graph.h"

namespace plateforge {

// "exact", "tanh" or "sigmoid"; throws Error listing them.
Gelu find_gelu(const std::string& name);

std::string gelu_name(Gelu gelu);

// Spells every exact GELU of the graph that way; an approximation for devices without Erf. A model
// that was trained with tanh, SiLU or ReLU (maskocr.activation) keeps what it has.
void spell_gelu(Graph& graph, Gelu gelu);

// What the approximation adds to a profile's bounds.
void allow_for(Gelu gelu, ParityBounds& bounds);

}  // namespace plateforge
