#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "configs/region.h"
#include "data/augment.h"
#include "models/decode/boxes.h"
#include "models/decode/ctc.h"

namespace plateforge {

// A network in use: a model file in LibTorch, or an exported file in a runtime.
class Engine {
 public:
  virtual ~Engine() = default;
  // `images` [N, 3, H, W] uint8 BGR of any N; the network's outputs in order.
  virtual std::vector<torch::Tensor> run(const torch::Tensor& images) = 0;
};

struct EngineOptions {
  std::string runtime;             // of .onnx files, see runtime_names()
  std::string precision = "fp32";  // of model files
  std::string region;              // pack of an .onnx reader; empty = the one that the file names
};

// A detector at work. Not for two threads at once.
class PlateFinder {
 public:
  // `file`: .safetensors, or .onnx with decoded outputs. Throws Error for a file that is no
  // detector.
  PlateFinder(const std::filesystem::path& file, const EngineOptions& engine,
              const DetectOptions& options);

  cv::Size size() const { return size_; }  // of its input
  const std::string& region() const { return region_; }
  // What pick() reads, [N, A, kDecodedValues].
  torch::Tensor infer(const torch::Tensor& images);
  // The plates of each image, best first, pixels of the input.
  std::vector<std::vector<Detection>> pick(const torch::Tensor& inferred) const;

 private:
  std::unique_ptr<Engine> engine_;
  std::optional<ModelConfig> config_;  // of a model file, whose output is to be decoded
  cv::Size size_;
  std::string region_;
  DetectOptions options_;
};

// One way to read a plate.
struct PlateText {
  std::string text;
  double confidence = 0;  // 0..1
};

// A reader at work. Not for two threads at once.
class PlateReader {
 public:
  PlateReader(const std::filesystem::path& file, const EngineOptions& engine);

  cv::Size size() const { return size_; }
  const Region& region() const { return *region_; }
  // Writes a plate of a picture into `input`, which has the reader's size; rows of a plate side by
  // side, as in training.
  void view(const cv::Mat& picture, const Quad& corners, cv::Mat& input) const;
  // Logits [N, C, T].
  torch::Tensor infer(const torch::Tensor& images);
  // The likeliest texts that the region's layouts allow, best first, at most `n_best` and at least
  // one: the likeliest of all where no allowed one is in reach.
  std::vector<std::vector<PlateText>> texts(const torch::Tensor& logits, int64_t n_best) const;

 private:
  std::unique_ptr<Engine> engine_;
  std::optional<Region> region_;
  std::unique_ptr<Augmenter> view_;
  cv::Size size_;
  bool slots_ = false;
};

// Both networks of one thread.
struct PlateModels {
  PlateFinder finder;
  PlateReader reader;
};

// As many pairs as there are threads to use them, at least one. Warns of a detector and a reader of
// different regions: that may be what the user wants.
std::vector<PlateModels> load_plate_models(const std::filesystem::path& detector,
                                           const std::filesystem::path& reader,
                                           const EngineOptions& engine = {},
                                           const DetectOptions& options = {}, int64_t threads = 1);

}  // namespace plateforge
