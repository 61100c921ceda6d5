#pragma once

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compress/quantize/accuracy_bound.h"
#include "export/profiles.h"
#include "models/model_file.h"

namespace plateforge {

// Samples to verify on: images [N, 3, H, W] uint8 BGR, and what the answers to image `first` and
// those behind it are worth: logits [n, C, T] of a reader, decode_rows() of a detector.
struct JudgedImages {
  torch::Tensor images;
  std::function<std::vector<Judgement>(const torch::Tensor& answers, int64_t first)> judge;
};
// The next samples, nullopt at the end.
using ImageStream = std::function<std::optional<JudgedImages>()>;

// What scores and equal answers are called, in JSON and in tables; without a name there is no
// score.
struct AnswerNames {
  std::string samples = "plates", score = "exact_match", same = "same_text";
  bool scored() const { return !score.empty(); }
};

// How one runtime's answers compare with LibTorch's.
struct RuntimeParity {
  std::string runtime;
  std::string refusal;  // why the runtime could not run the file; empty when it did
  int64_t samples = 0;
  int64_t same = 0;  // answered as the reference does
  double score = 0;  // sum over the samples
  double max_abs_logit_difference = 0;
  std::vector<std::string> violations;  // bounds that do not hold, in words

  bool holds() const { return refusal.empty() && violations.empty(); }
};

struct ParityReport {
  AnswerNames names;
  int64_t samples = 0, same = 0;  // of the model in LibTorch
  double score = 0;
  // Of the model whose answers are the measure; the model itself unless another was given.
  bool own_reference = true;
  double reference_score = 0;
  double max_abs_logit = 0;
  ParityBounds bounds;
  std::vector<std::string> edits;  // what was changed in the file since it was written, in words
  std::vector<RuntimeParity> runtimes;

  bool holds() const;
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people
};

// Runs the written file in each runtime on every sample and compares with the model: its outputs
// with the model's (a detector's in pixels and scores, whatever its form), its answers and score
// with those of `reference` (the float twin of a quantised model, say; nullptr = the model itself).
// Also compares the file's fingerprint and metadata with what was written. Throws Error for a file
// that cannot be read, whose input or output does not fit the model, a reference with another
// alphabet or input, an unknown runtime, and when there are no samples. A runtime that refuses the
// file is reported.
ParityReport verify_onnx(const Model& model, const std::filesystem::path& file,
                         const ImageStream& samples, const std::vector<std::string>& runtimes,
                         const ParityBounds& bounds, const Model* reference = nullptr,
                         const AnswerNames& names = {});

// Bounds of the profile that the file says it is; Error when it says none that exists.
ParityBounds profile_bounds(const std::filesystem::path& file);

// What greedy decoding reads in a reader's logits [N, C, T].
std::vector<std::string> greedy_texts(const torch::Tensor& logits, const Model& model);

// `count` random images that no answer is right for, for a check right after writing.
ImageStream random_images(const ModelConfig& config, int64_t count, uint64_t seed);

}  // namespace plateforge
