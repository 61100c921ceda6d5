#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "configs/run_config.h"
#include "models/graph/graph.h"

namespace plateforge {

// What a detector's file answers with. A anchors, A_S of them of stride S, in the order of
// models/detector.h; boxes are left, top, right, bottom, corners left-top, right-top, right-bottom,
// left-bottom, x and y each.
//   rows     rows [N, A, K] as the network makes them
//   heads    for each stride S, finest first: score_S [N, A_S, 1] in 0..1, bbox_S [N, A_S, 4] from
//            the anchor's centre to the sides and kps_S [N, A_S, 8] from there to the corners, both
//            in strides: what parsers of InsightFace's SCRFD files read, with four points
//   decoded  scores [N, A] in 0..1, boxes [N, A, 4] and corners [N, A, 8], pixels of the input;
//            neither clipped to it nor suppressed
enum class DetectorForm { rows, heads, decoded };
const std::vector<std::string>& detector_form_names();
// Throws Error listing the known names.
DetectorForm find_detector_form(const std::string& name);
const std::string& detector_form_name(DetectorForm form);

// The outputs of a file of that form, by name.
std::vector<std::string> output_names(const DetectorConfig& config, DetectorForm form);

// A detector's graph with one output [N, A, K], float or with quantisers, answering in that form:
// its outputs come in the order of output_names(). What the network joins is taken apart again.
Graph with_outputs(Graph graph, const ModelConfig& config, DetectorForm form);

// What a network [N, A, K] or a file of that form answered, as decode_rows() gives it.
torch::Tensor plates_of(const std::vector<torch::Tensor>& outputs, const ModelConfig& config,
                        DetectorForm form);

}  // namespace plateforge
