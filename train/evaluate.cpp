#include "train/evaluate.h"

#include <torch/utils.h>

#include <chrono>

#include "losses/reader.h"
#include "models/decode/read.h"
#include "models/eval_mode.h"
#include "train/runtime.h"

namespace plateforge {

namespace {

Reading read_one(const LogProbs& log_probs, const Model& model, const std::string& decoder) {
  const bool slots = reads_slots(model.config);
  if (decoder == "beam") return read_best(log_probs, model.region, slots, {}).front();
  return read_greedy(log_probs, model.region.blank(), slots);
}

}  // namespace

Loader plain_loader(const Mix& mix, const Model& model, int64_t batch_size) {
  const LoaderOptions options{
      .batch_size = batch_size, .shuffle = false, .size = input_size(model.config)};
  return {mix, model.region, AugmentConfig{.strength = 0, .ops = {}}, options};
}

torch::Tensor host_log_probs(const torch::Tensor& logits) {
  return logits.detach().to(torch::kFloat).transpose(1, 2).log_softmax(2).cpu().contiguous();
}

LogProbs plate_of(const torch::Tensor& log_probs, int64_t n) {
  return {.data = log_probs[n].const_data_ptr<float>(),
          .steps = log_probs.size(1),
          .classes = log_probs.size(2),
          .stride_t = log_probs.size(2),
          .stride_c = 1};
}

std::vector<ReadResult> read_logits(const torch::Tensor& logits, const Model& model,
                                    const std::string& decoder) {
  const auto log_probs = host_log_probs(logits);
  std::vector<ReadResult> results;
  for (int64_t n = 0; n < log_probs.size(0); ++n) {
    const auto reading = read_one(plate_of(log_probs, n), model, decoder);
    results.push_back({.truth = "",
                       .read = model.region.decode(reading.symbols),
                       .source = "",
                       .confidence = reading.confidence()});
  }
  return results;
}

ReaderEvaluation evaluate_reader(const Model& model, const NextBatch& next,
                                 const ReadOptions& options) {
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(*model.network);
  ReaderEvaluation evaluation{.metrics = ReaderMetrics(model.region), .results = {}};
  double loss_sum = 0;
  while (const auto batch = next()) {
    const auto start = std::chrono::steady_clock::now();
    torch::Tensor logits;
    {
      const PrecisionGuard precision(options.precision, options.device);
      logits = model.network->forward(normalize(batch->images.to(options.device)));
    }
    auto results = read_logits(logits, model, options.decoder);
    evaluation.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    loss_sum += reader_loss(model.config, logits, batch->targets.to(options.device),
                            batch->target_lengths.to(options.device), model.region.blank())
                    .item<double>() *
                static_cast<double>(batch->size());
    for (size_t i = 0; i < results.size(); ++i) {
      results[i].truth = batch->texts[i];
      results[i].source = batch->sources[i];
      evaluation.metrics.add(results[i]);
      evaluation.results.push_back(std::move(results[i]));
    }
  }
  const auto samples = evaluation.metrics.samples();
  evaluation.loss = samples > 0 ? loss_sum / static_cast<double>(samples) : 0;
  return evaluation;
}

ReaderEvaluation evaluate_reader(const Model& model, Loader& plates, const ReadOptions& options) {
  plates.seek(0);
  return evaluate_reader(
      model, [&] { return plates.next(); }, options);
}

}  // namespace plateforge
