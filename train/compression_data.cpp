#include "train/compression_data.h"

#include <algorithm>
#include <numeric>

#include "configs/error.h"
#include "data/concat.h"
#include "data/loader.h"
#include "data/permutation.h"
#include "data/split.h"
#include "data/verify.h"
#include "train/evaluate.h"
#include "train/metrics.h"

namespace plateforge {
namespace {

constexpr int64_t kBatch = 20;  // small enough for its activations to stay in the cache

double score_of(const ReadResult& result, const Region& region, const std::string& metric) {
  ReaderMetrics one(region);
  one.add(result);
  const auto value = one.value(metric);
  const bool less_is_better = metric == "cer" || metric == "wrong_length";
  return less_is_better ? 1 - std::min(1.0, value) : value;
}

}  // namespace

Mix draw_plates(const Mix& mix, int64_t count, uint64_t seed) {
  const auto all = concat(mix);
  const Permutation shuffled(all->size(), seed);
  std::vector<int64_t> drawn(static_cast<size_t>(std::min(count, all->size())));
  for (size_t i = 0; i < drawn.size(); ++i) drawn[i] = shuffled(static_cast<int64_t>(i));
  std::sort(drawn.begin(), drawn.end());
  return {{{subset(all, std::move(drawn)), 1.0, "calibration"}}};
}

std::vector<torch::Tensor> network_inputs(const Mix& mix, const Model& model) {
  const LoaderOptions loading{
      .batch_size = kBatch,
      .shuffle = false,
      .size = {static_cast<int>(model.config.width), static_cast<int>(model.config.height)}};
  Loader loader(mix, model.region, AugmentConfig{.strength = 0, .ops = {}}, loading);
  std::vector<torch::Tensor> batches;
  while (const auto batch = loader.next()) batches.push_back(normalize(batch->images));
  return batches;
}

void require_apart(const Mix& calibration, const Mix& measured) {
  for (const auto& violation : verify_apart(calibration, measured, {})) {
    require(violation.kind != "near",
            "the calibration set overlaps the evaluation set: ", violation.message);
  }
}

Jury reader_jury(const Mix& mix, const Model& model, const std::string& metric) {
  ReaderMetrics(model.region).value(metric);  // refuses an unknown one
  const auto plates = concat(mix);
  std::vector<std::string> texts;
  for (int64_t i = 0; i < plates->size(); ++i) texts.push_back(plates->text(i));
  const auto judge = [texts, metric, region = model.region](const torch::Tensor& logits,
                                                            const std::vector<int64_t>& pictures) {
    auto results = read_logits(logits, region, "greedy");
    std::vector<Judgement> judgements;
    for (size_t i = 0; i < results.size(); ++i) {
      results[i].truth = texts[static_cast<size_t>(pictures[i])];
      judgements.push_back({score_of(results[i], region, metric), results[i].read});
    }
    return judgements;
  };
  return {network_inputs(mix, model), judge};
}

}  // namespace plateforge
