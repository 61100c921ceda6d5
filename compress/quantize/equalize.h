#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// A network that computes the same in float and loses less in integers: a layer's output channels
// are divided by factors, and whoever reads them multiplies, convolutions and linear layers in
// their weights, anything else through a Multiply in front of it.
//   group    tensors whose channels have different readers (strided slices, context branches): one
//            factor for all channels with the same readers. Where the dropped channels are large,
//            one scale for all leaves the kept ones a few levels.
//   all      the same tensors, a factor for every channel: its mean largest value over the
//            pictures, at least 2 % of the tensor's
//   weights  chains of layers without any other reader: both weights of a channel get the same
//            range (cross-layer equalisation, Nagel et al. 2019, arXiv 1906.04721)
enum class Equalization { none, group, all, weights };

const std::vector<std::string>& equalization_names();
Equalization find_equalization(const std::string& name);  // Error listing the known ones
const std::string& equalization_name(Equalization value);

// Equalises a simplified graph and returns the names of the layers whose outputs were divided.
// `batches` [n, 3, H, W] are looked at for group and all.
std::vector<std::string> equalize(Graph& graph, Equalization form,
                                  const std::vector<torch::Tensor>& batches);

}  // namespace plateforge
