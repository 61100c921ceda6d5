#include "train/calibration.h"

#include <algorithm>
#include <memory>

#include "configs/error.h"
#include "data/loader.h"
#include "losses/ctc.h"
#include "train/compression_data.h"

namespace plateforge {

std::vector<Batch> take_plates(const Mix& mix, const Model& model, int64_t count,
                               const std::string& origin) {
  Mix real;
  for (const auto& part : mix.parts)
    if (part.source->is_real()) real.parts.push_back(part);
  if (real.parts.empty()) real = mix;  // drawn plates are better than none
  require(std::min(count, real.size()) >= kLeastCalibration, "calibration needs at least ",
          kLeastCalibration, " plates, ", origin, " has ", real.size());
  const auto chosen = draw_plates(real, count, /*seed=*/0);
  const LoaderOptions loading{
      .batch_size = 64,
      .workers = 0,
      .shuffle = false,
      .size = {static_cast<int>(model.config.width), static_cast<int>(model.config.height)}};
  Loader loader(chosen, model.region, {.strength = 0, .ops = {}}, loading);
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

}  // namespace plateforge
