#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace plateforge {

// Something that loads an ONNX file and runs it in this process.
class Runtime {
 public:
  virtual ~Runtime() = default;
  // [N, 3, H, W] float in, the file's outputs in its order out, all contiguous on the CPU. Throws
  // Error when the runtime cannot run the file.
  virtual std::vector<torch::Tensor> run(const torch::Tensor& images) = 0;
};
using RuntimePtr = std::unique_ptr<Runtime>;

// Names of the runtimes this program was built with: builtin, opencv and, when it was found at
// configure time, openvino.
const std::vector<std::string>& runtime_names();

// Throws Error listing the known names.
void check_runtime(const std::string& name);

// Loads the file. Throws Error for an unknown name, and when the runtime refuses the file, with its
// own words.
RuntimePtr open_runtime(const std::string& name, const std::filesystem::path& file);

}  // namespace plateforge
