#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "export/onnx_model.h"
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

// The graph as ONNX (IR 7), node by node; what spell_portably and the folds leave is emitted one to
// one. The first input is called "images", the first output "logits".
OnnxModel to_onnx(Graph graph, int64_t opset, const std::map<std::string, std::string>& metadata);

// metadata_props of a reader's file: all that a program needs besides the file to read plates.
//   region, alphabet (JSON list), blank (index), decoder, input, output,
//   preprocessing (JSON: channels, layout, width, height, mean, scale: (pixel - mean) * scale),
//   profile, tool, tool_version
std::map<std::string, std::string> onnx_metadata(const Model& model, const std::string& profile);

// Traces, folds and writes MODEL as fp32 ONNX, atomically. Throws Error for an operation that the
// tracer or the opset lacks and when the file cannot be written.
ExportedFile export_onnx(const Model& model, const std::filesystem::path& file,
                         const ExportOptions& options);

}  // namespace plateforge
