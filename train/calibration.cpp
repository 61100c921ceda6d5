#include "train/calibration.h"

#include <algorithm>
#include <memory>

#include "configs/error.h"
#include "data/loader.h"
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

}  // namespace plateforge
