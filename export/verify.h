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
  int64_t samples = 0, correct = 0;
  int64_t same_text = 0;  // as the reference reads it
  double max_abs_logit_difference = 0;
  std::vector<std::string> violations;  // bounds that do not hold, in words

  bool holds() const { return refusal.empty() && violations.empty(); }
};

struct ParityReport {
  int64_t samples = 0, correct = 0;  // of the model in LibTorch
  // The same of the model whose texts are the measure; the model itself unless another was given.
  bool own_reference = true;
  int64_t same_text = 0, reference_correct = 0;
  double max_abs_logit = 0;
  ParityBounds bounds;
  std::vector<std::string> edits;  // what was changed in the file since it was written, in words
  std::vector<RuntimeParity> runtimes;

  bool holds() const;
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people
};

// Runs the written file in each runtime on every plate and compares with the model, greedy
// decoding: its logits with the model's, its texts and exact match with those of `reference` (the
// float twin of a quantised model, say; nullptr = the model itself). Also compares the file's
// fingerprint and metadata with what was written. Throws Error for a file that cannot be read,
// whose input or output does not fit the model, a reference with another alphabet or input, an
// unknown runtime, and when there are no plates. A runtime that refuses the file is reported.
ParityReport verify_onnx(const Model& model, const std::filesystem::path& file,
                         const PlateStream& plates, const std::vector<std::string>& runtimes,
                         const ParityBounds& bounds, const Model* reference = nullptr);

// Bounds of the profile that the file says it is; Error when it says none that exists.
ParityBounds profile_bounds(const std::filesystem::path& file);

// What greedy decoding reads in logits [N, C, T].
std::vector<std::string> greedy_texts(const torch::Tensor& logits, const Region& region);

// `count` random plates without texts, for a check right after writing.
PlateStream random_plates(const ModelConfig& config, int64_t count, uint64_t seed);

}  // namespace plateforge
