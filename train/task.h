#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <opencv2/core/mat.hpp>
#include <string>

#include "data/batch.h"
#include "models/model_file.h"

namespace plateforge {

// What one validation said: JSON for the logs (it holds every metric a run can be steered by,
// "loss" among them) and one line for people.
struct Evaluation {
  nlohmann::json json;
  std::string line;
  std::map<std::string, cv::Mat> pictures = {};  // by name, 8-bit BGR; the run folder keeps them
};

// The maths of training one kind of network; it knows no loop, no optimiser and no schedule.
class Task {
 public:
  virtual ~Task() = default;
  Network& network() { return *model_.network; }
  // Forward pass and loss of a training batch that already is on the device. Scalar.
  virtual torch::Tensor loss(const Batch& batch) = 0;
  // Measures the network as it is on the validation plates, in eval mode, without gradients.
  virtual Evaluation evaluate() = 0;
  // Writes the network as it is as a model file, `provenance` beside what the model brought along.
  void save(const std::filesystem::path& file,
            const std::map<std::string, std::string>& provenance) const;

 protected:
  // The network is moved to the device and its weights to channels_last.
  Task(Model model, torch::Device device);
  const Model& model() const { return model_; }

 private:
  Model model_;
};

}  // namespace plateforge
