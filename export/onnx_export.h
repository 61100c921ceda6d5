#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "models/model_file.h"

namespace plateforge {

struct ExportOptions {
  int64_t batch = 1;      // static batch; 0 = symbolic "N"
  int64_t opset = 13;
};

// Traces, folds and writes MODEL as fp32 ONNX (IR 7), atomically. metadata_props carry alphabet,
// blank, preprocessing, decoder, profile, tool version.
void export_onnx(const Model& model, const std::filesystem::path& file,
                 const ExportOptions& options);

}  // namespace plateforge
