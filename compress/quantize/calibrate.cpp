#include "compress/quantize/calibrate.h"

#include <torch/utils.h>

#include "compress/quantize/placement.h"
#include "configs/error.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

using Look = void (TensorStatistics::*)(const torch::Tensor&);

void look_at(const Graph& graph, const std::vector<torch::Tensor>& batches,
             TensorsStatistics& statistics, Look look) {
  for (const auto& images : batches) {
    const auto input = statistics.find(graph.inputs.at(0));
    if (input != statistics.end()) (input->second.*look)(images);
    execute(graph, {images}, [&](const Node& node, const torch::Tensor& value) {
      const auto found = statistics.find(node.output);
      if (found != statistics.end()) (found->second.*look)(value);
    });
  }
}

// The layer that a tensor comes from, through whatever lies between.
std::string source_layer(const Graph& graph, TensorId tensor) {
  const auto* node = graph.producer(tensor);
  while (node && !is_layer(graph, *node)) node = graph.producer(node->inputs[0]);
  return node ? node->name : "the pictures";
}

}  // namespace

TensorsStatistics calibrate(const Graph& graph, const std::vector<torch::Tensor>& batches,
                            const std::set<TensorId>& tensors, bool histograms) {
  const torch::NoGradGuard no_grad;
  TensorsStatistics statistics;
  for (const auto id : tensors) statistics.try_emplace(id);
  look_at(graph, batches, statistics, &TensorStatistics::add_ranges);
  for (const auto& [id, seen] : statistics) {  // ids grow with the order of computation
    require(seen.finite(), "calibration: ", graph.tensor(id).name, ", which comes from ",
            source_layer(graph, id), ", holds values that are not finite: damaged weights?");
  }
  if (histograms) look_at(graph, batches, statistics, &TensorStatistics::add_histogram);
  return statistics;
}

}  // namespace plateforge
