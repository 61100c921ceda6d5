#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "export/onnx_model.h"
#include "export/profiles.h"
#include "models/graph/graph.h"
#include "models/model_file.h"

namespace plateforge {

struct ExportOptions {
  int64_t batch = 1;  // static batch; 0 = symbolic "N"
  int64_t opset = 13;
};

struct ExportedFile {
  std::filesystem::path path;
  int64_t bytes = 0, nodes = 0;
};

// The graph as a file of that profile: simplified, respelled as the profile wants it, then emitted
// one to one. Throws Error for a graph that was not quantised for the profile, and for what emit()
// refuses.
OnnxModel to_onnx(Graph graph, const Profile& profile, int64_t opset,
                  const std::map<std::string, std::string>& metadata);

// The profile that a model was quantised for; fp32 when it was not.
std::string natural_profile(const Model& model);

// metadata_props of a reader's file: all that a program needs besides the file to read plates.
//   region, alphabet (JSON list), blank (index), decoder, input, output,
//   preprocessing (JSON: channels, layout, width, height, mean, scale: (pixel - mean) * scale),
//   profile, tool, tool_version; quantization and sparsity as the model file has them.
// A written file also has its fingerprint.
std::map<std::string, std::string> onnx_metadata(const Model& model, const std::string& profile);

// The model as a file of that profile, ready to be looked at (lint()) and written. Throws Error for
// an operation that the tracer or the opset lacks and a profile that cannot hold the model.
OnnxModel make_onnx(const Model& model, const Profile& profile, const ExportOptions& options);

// Atomic. Throws Error when the file cannot be written.
ExportedFile write_onnx(const OnnxModel& onnx, const std::filesystem::path& file);

// Both at once.
ExportedFile export_onnx(const Model& model, const Profile& profile,
                         const std::filesystem::path& file, const ExportOptions& options);

}  // namespace plateforge
