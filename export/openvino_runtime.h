#pragma once

#include <filesystem>

#include "export/runtimes.h"

namespace plateforge {

// Only in builds that found OpenVINO. Computes in fp32: its default on many CPUs is bfloat16.
RuntimePtr open_openvino(const std::filesystem::path& file);

}  // namespace plateforge
