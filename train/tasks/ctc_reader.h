#pragma once

#include <optional>

#include "configs/run_config.h"
#include "data/loader.h"
#include "models/model_file.h"
#include "train/evaluate.h"
#include "train/task.h"

namespace plateforge {

// A network at rest whose outputs are learnt from beside the labels.
struct Teacher {
  NetworkPtr network;
  double weight = 1, temperature = 2;
};

// Trains a reader with CTC: logits [N, C, T] against label sequences.
class CtcReaderTask : public Task {
 public:
  // `val` does not shuffle. The network is moved to the device and to channels_last.
  CtcReaderTask(Model model, Loader& val, ReadOptions options,
                std::optional<Teacher> teacher = std::nullopt);

  Network& network() override { return *model_.network; }
  torch::Tensor loss(const Batch& batch) override;
  Evaluation evaluate() override;
  void save(const std::filesystem::path& file,
            const std::map<std::string, std::string>& provenance) override;

 private:
  Model model_;
  Loader& val_;
  ReadOptions options_;
  std::optional<Teacher> teacher_;
};

}  // namespace plateforge
