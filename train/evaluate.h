#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/loader.h"
#include "models/decode/ctc.h"
#include "models/model_file.h"
#include "train/metrics.h"

namespace plateforge {

// The plates of a mix in order, at the model's size, without augmentation.
Loader plain_loader(const Mix& mix, const Model& model, int64_t batch_size);

struct ReadOptions {
  std::string decoder = "greedy";  // greedy | beam (with the region's grammar)
  std::string precision = "fp32";
  torch::Device device = torch::kCPU;
};

struct ReaderEvaluation {
  ReaderMetrics metrics;
  std::vector<ReadResult> results;  // in data order
  double loss = 0;                  // mean per plate, without label smoothing
  double seconds = 0;               // network and decoding, without reading pictures
};

// Reads every plate that `next` gives. The one place where a reader is measured: eval mode, no
// gradients, restored afterwards.
using NextBatch = std::function<std::optional<Batch>()>;
ReaderEvaluation evaluate_reader(const Model& model, const NextBatch& next,
                                 const ReadOptions& options);
// Every plate of a loader that does not shuffle.
ReaderEvaluation evaluate_reader(const Model& model, Loader& plates, const ReadOptions& options);

// Log-probabilities [N, T, C] of logits [N, C, T], in host memory: one copy for a whole batch.
torch::Tensor host_log_probs(const torch::Tensor& logits);
// Those of plate n, to be decoded while `log_probs` lives.
LogProbs plate_of(const torch::Tensor& log_probs, int64_t n);

// Texts of a batch of the model's logits [N, C, T], any device.
std::vector<ReadResult> read_logits(const torch::Tensor& logits, const Model& model,
                                    const std::string& decoder);

}  // namespace plateforge
