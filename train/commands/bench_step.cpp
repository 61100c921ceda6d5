#include "train/commands/bench_step.h"

#include <torch/cuda.h>

#include <optional>

#include "data/batch.h"
#include "losses/detection.h"
#include "losses/masked_pixels.h"
#include "losses/reader.h"
#include "models/mae.h"
#include "models/ops/layers.h"
#include "train/runtime.h"

namespace plateforge {
namespace {

constexpr int64_t kLabel = 7, kPlates = 2;

}  // namespace

BenchStep::BenchStep(NetworkPtr network, const ModelConfig& model, const std::string& precision,
                     int64_t batch, torch::Device device)
    : model_(model), precision_(precision), device_(device), network_(std::move(network)) {
  move_to(*network_, device);
  network_->train();
  const OptimConfig optim;
  optimizer_ = make_optimizer(make_param_groups(*network_, optim), optim);
  optimizer_->train_mode();
  images_ = torch::randint(0, 256, {batch, 3, model.height, model.width}, torch::kByte)
                .contiguous(torch::MemoryFormat::ChannelsLast)
                .to(device);
  if (is_detector(model))
    draw_plates(batch);
  else if (is_autoencoder(model))
    draw_masks(batch);
  else
    draw_labels(batch);
}

void BenchStep::draw_labels(int64_t batch) {
  targets_ = torch::randint(0, kBenchClasses - 1, {batch, kLabel}, torch::kLong).to(device_);
  lengths_ = torch::full({batch}, kLabel, torch::kLong).to(device_);
}

// Level plates, a quarter of the picture wide, somewhere in it.
void BenchStep::draw_plates(int64_t batch) {
  anchors_ = make_anchors(model_.detector, model_.height, model_.width);
  const auto extent = torch::tensor({model_.width, model_.height}, torch::kFloat);
  const auto first = torch::rand({batch, kPlates, 2}) * 0.7 * extent;  // left, top
  const auto last = first + extent * torch::tensor({0.25, 0.08});
  const auto left = first.narrow(2, 0, 1), top = first.narrow(2, 1, 1);
  const auto right = last.narrow(2, 0, 1), bottom = last.narrow(2, 1, 1);
  const auto known = torch::full_like(left, static_cast<double>(kBoxAndCorners));
  targets_ = torch::cat({first, last, left, top, right, top, right, bottom, left, bottom, known}, 2)
                 .to(device_);
  lengths_ = torch::full({batch}, kPlates, torch::kLong).to(device_);
}

void BenchStep::draw_masks(int64_t batch) {
  const auto patches = patch_grid(model_).tokens();
  targets_ = torch::rand({batch, patches}).argsort(int64_t{1}, /*descending=*/false).to(device_);
}

torch::Tensor BenchStep::forward() {
  const PrecisionGuard guard(precision_, device_);
  return network_->forward(normalize(images_));
}

torch::Tensor BenchStep::loss() {
  if (is_autoencoder(model_)) {
    MaskedAutoencoder::Painting painting;
    {
      const PrecisionGuard guard(precision_, device_);
      painting = dynamic_cast<MaskedAutoencoder&>(*network_).paint(normalize(images_), targets_);
    }
    return masked_pixel_loss(painting, model_.mae.alignment);
  }
  const auto output = forward();
  RECORD_FUNCTION("plateforge::loss", std::vector<c10::IValue>());
  if (is_detector(model_))
    return detection_loss(output, targets_, lengths_, anchors_, model_.detector, {}).total();
  return reader_loss(model_, output, targets_, lengths_, kBenchClasses - 1);
}

void BenchStep::run(bool plain) {
  std::optional<ops::PlainOps> plain_ops;
  if (plain) plain_ops.emplace();
  optimizer_->zero_grad();
  loss().backward();
  RECORD_FUNCTION("plateforge::optimizer", std::vector<c10::IValue>());
  optimizer_->step(1e-4, 0.9);
  if (device_.is_cuda()) torch::cuda::synchronize();
}

}  // namespace plateforge
