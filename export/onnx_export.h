#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "export/detector_outputs.h"
#include "export/onnx_model.h"
#include "export/profiles.h"
#include "models/graph/graph.h"
#include "models/model_file.h"

namespace plateforge {

struct ExportOptions {
  int64_t batch = 1;  // static batch; 0 = symbolic "N"
  int64_t opset = 13;
  DetectorForm form = DetectorForm::decoded;  // what a detector's file answers with
  bool any_size = false;                      // a detector's file takes other sizes: open_size()
};

struct ExportedFile {
  std::filesystem::path path;
  int64_t bytes = 0, nodes = 0;
};

// The graph as a file of that profile: simplified, respelled as the profile wants it, then emitted
// one to one, its outputs under these names. Throws Error for a graph that was not quantised for
// the profile, and for what emit() refuses.
OnnxModel to_onnx(Graph graph, const Profile& profile, int64_t opset,
                  const std::map<std::string, std::string>& metadata,
                  const std::vector<std::string>& outputs = {"logits"});

// The profile that a model was quantised for; fp32 when it was not.
std::string natural_profile(const Model& model);

// metadata_props of a file: all that a program needs besides the file to read or find plates.
//   task (reader, detector), region, input, output (names, joined by ,),
//   preprocessing (JSON: channels, layout, width, height, mean, scale: (pixel - mean) * scale),
//   profile, tool, tool_version; quantization and sparsity as the model file has them
//   readers: alphabet (JSON list), blank (index), decoder
//   detectors: form (DetectorForm), strides (JSON list), anchors (of a location), fit (how a
//   picture becomes an input), score_threshold, nms_iou (what the program itself uses)
// A written file also has its fingerprint.
std::map<std::string, std::string> onnx_metadata(const Model& model, const std::string& profile,
                                                 DetectorForm form);

// The model as a file of that profile, ready to be looked at (lint()) and written. Throws Error for
// an operation that the tracer or the opset lacks, a profile that cannot hold the model, and where
// its size cannot be open.
OnnxModel make_onnx(const Model& model, const Profile& profile, const ExportOptions& options);

// Atomic. Throws Error when the file cannot be written.
ExportedFile write_onnx(const OnnxModel& onnx, const std::filesystem::path& file);

// Both at once.
ExportedFile export_onnx(const Model& model, const Profile& profile,
                         const std::filesystem::path& file, const ExportOptions& options);

}  // namespace plateforge
