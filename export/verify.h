#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "export/profiles.h"
#include "models/model_file.h"

namespace plateforge {

// Labelled plates to verify on: images [N, 3, H, W] uint8 BGR, N texts.
struct LabelledPlates {
  torch::Tensor images;
  std::vector<std::string> texts;
};
// The next plates, nullopt at the end.
using PlateStream = std::function<std::optional<LabelledPlates>()>;

// How one runtime's answers compare with LibTorch's.
struct RuntimeParity {
  std::string runtime;
  std::string refusal;  // why the runtime could not run the file; empty when it did
  int64_t samples = 0, same_text = 0, correct = 0;
  double max_abs_logit_difference = 0;
  std::vector<std::string> violations;  // bounds that do not hold, in words

  bool holds() const { return refusal.empty() && violations.empty(); }
};

struct ParityReport {
  int64_t samples = 0, correct = 0;  // of the model in LibTorch
  double max_abs_logit = 0;
  ParityBounds bounds;
  std::vector<RuntimeParity> runtimes;

  bool holds() const;
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people
};

// Runs the written file in each runtime on every plate and compares with the model, greedy
// decoding. Throws Error for a file that cannot be read, whose input or output does not fit the
// model, an unknown runtime, and when there are no plates. A runtime that refuses the file is
// reported.
ParityReport verify_onnx(const Model& model, const std::filesystem::path& file,
                         const PlateStream& plates, const std::vector<std::string>& runtimes,
                         const ParityBounds& bounds);

// Bounds of the profile that the file says it is; Error when it says none that exists.
ParityBounds profile_bounds(const std::filesystem::path& file);

// `count` random plates without texts, for a check right after writing.
PlateStream random_plates(const ModelConfig& config, int64_t count, uint64_t seed);

}  // namespace plateforge
