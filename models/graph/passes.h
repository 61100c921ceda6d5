#pragma once

#include "models/graph/graph.h"

namespace plateforge {

// Rewrites of a graph that keep what it computes. Each is complete on its own: afterwards nothing
// dead is left.

// Identity nodes (dropout at rest, copies) disappear.
void remove_identities(Graph& graph);

// A node that reads only constants becomes a constant. Fake-quantised constants stay as they are:
// they are stored as integers.
void fold_constants(Graph& graph);

// BatchNorm after a Conv or Linear that nothing else reads goes into its weight and bias, in
// double.
void fold_batch_norm(Graph& graph);

// A constant vector that alone is added to what a Linear makes becomes its bias. nn::Linear on
// tokens [N, T, D] is recorded as a product and an addition.
void join_biases(Graph& graph);

// Attention whose queries are the same for every image: the scores are one linear layer of the
// memory, smaller than the keys that they would be made from.
void fold_constant_queries(Graph& graph);

// A linear layer that is read only through one slice of its outputs makes no others.
void trim_linears(Graph& graph);

// All of the above, in order: the network as it is deployed.
void simplify(Graph& graph);

}  // namespace plateforge
