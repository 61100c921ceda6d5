#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "compress/quantize/accuracy_bound.h"
#include "models/model_file.h"

namespace plateforge {

struct RuntimeCheck {
  std::string runtime;
  Comparison comparison;
};

// What a quantised model answers in the runtime that its profile is for (OpenVINO for int8-u8), by
// a file that is written to `scratch` and removed again. nullopt when this program was built with
// none of these runtimes. Throws Error when the runtime refuses the file.
std::optional<RuntimeCheck> check_in_runtime(const Model& model, const Graph& exact,
                                             const Jury& jury, int64_t opset,
                                             const std::filesystem::path& scratch);

}  // namespace plateforge
