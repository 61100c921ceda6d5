#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "export/onnx_model.h"

namespace plateforge {

// Reads the bytes of an .onnx file. Every length is checked against what is there before anything
// is allocated. Throws Error, naming `origin`, for a cut or corrupt file, a tensor whose size does
// not fit its shape, a tensor or graph feature outside onnx_model.h, and a node that reads what
// nothing before it wrote.
OnnxModel decode_onnx(std::string_view bytes, const std::string& origin);
OnnxModel read_onnx(const std::filesystem::path& file);

}  // namespace plateforge
