#pragma once

#include <optional>

#include "configs/run_config.h"
#include "data/loader.h"
#include "train/evaluate.h"
#include "train/task.h"

namespace plateforge {

// A network at rest whose outputs are learnt from beside the labels.
struct Teacher {
  NetworkPtr network;
  cv::Size size;  // of its input; training pictures have it, the student's are made from them
  double weight = 1, temperature = 2;
  // Its steps mean something else than the student's: it teaches the texts that it reads.
  bool teaches_texts = false;
};

// Trains a reader: logits [N, C, T] against labels, by CTC or slot by slot.
class ReaderTask : public Task {
 public:
  struct Options {
    ReadOptions reading;
    SlotLossConfig slots = {};
    std::optional<Teacher> teacher = std::nullopt;
  };
  // `val` does not shuffle.
  ReaderTask(Model model, Loader& val, Options options);

  torch::Tensor loss(const Batch& batch) override;
  Evaluation evaluate() override;

 private:
  torch::Tensor loss_of_hidden(const Batch& batch);
  torch::Tensor teaching_loss(const torch::Tensor& logits, const torch::Tensor& images) const;

  Loader& val_;
  Options options_;
};

}  // namespace plateforge
