#include "train/compression_data.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "configs/error.h"
#include "data/concat.h"
#include "data/permutation.h"
#include "data/split.h"
#include "data/verify.h"
#include "losses/ctc.h"
#include "models/eval_mode.h"
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
  auto loader = plain_loader(mix, model, kBatch);
  std::vector<torch::Tensor> batches;
  while (const auto batch = loader.next()) batches.push_back(normalize(batch->images));
  return batches;
}

std::vector<Batch> take_plates(const Mix& mix, const Model& model, int64_t count,
                               const std::string& origin) {
  Mix real;
  for (const auto& part : mix.parts)
    if (part.source->is_real()) real.parts.push_back(part);
  if (real.parts.empty()) real = mix;  // drawn plates are better than none
  require(std::min(count, real.size()) >= kLeastCalibration, "calibration needs at least ",
          kLeastCalibration, " plates, ", origin, " has ", real.size());
  auto loader = plain_loader(draw_plates(real, count, /*seed=*/0), model, 64);
  std::vector<Batch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

Calibration make_calibration(NetworkPtr network, const Region& region, std::vector<Batch> plates,
                             const ReadOptions& options) {
  Calibration calibration;
  for (const auto& batch : plates)
    calibration.images.push_back(normalize(batch.images.to(options.device)));
  const auto kept = std::make_shared<std::vector<Batch>>(std::move(plates));
  calibration.measure = [network, region, kept, options] {
    size_t next = 0;
    const auto measured = evaluate_reader(
        *network, region,
        [&]() -> std::optional<Batch> {
          return next < kept->size() ? std::optional((*kept)[next++]) : std::nullopt;
        },
        options);
    return Quality{measured.loss, measured.metrics.exact_match().value()};
  };
  return calibration;
}

TensorDict mean_gradients(Network& network, const Region& region, const std::vector<Batch>& plates,
                          torch::Device device) {
  const EvalMode at_rest(network);
  TensorDict sums;
  for (const auto& batch : plates) {
    network.zero_grad();
    const auto logits = network.forward(normalize(batch.images.to(device)));
    ctc_loss(logits, batch.targets.to(device), batch.target_lengths.to(device), region.blank())
        .backward();
    for (const auto& item : network.named_parameters()) {
      const auto& gradient = item.value().grad();
      const auto share = gradient.defined() ? gradient.abs() / static_cast<double>(plates.size())
                                            : torch::zeros_like(item.value());
      auto& sum = sums[item.key()];
      sum = sum.defined() ? sum + share : share;
    }
  }
  network.zero_grad();
  return sums;
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
