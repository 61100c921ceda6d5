#include "train/tasks/mae.h"

#include <torch/utils.h>

#include <algorithm>
#include <iomanip>
#include <opencv2/core.hpp>
#include <sstream>

#include "losses/masked_pixels.h"
#include "models/eval_mode.h"
#include "train/runtime.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr int64_t kShownPlates = 8;

// Rows of pictures side by side: [N, 3, H, W] float in the network's units each.
cv::Mat sheet(const std::vector<Tensor>& columns) {
  const auto pixels = (torch::cat(columns, 3) * 128 + 127.5)
                          .clamp(0, 255)
                          .round()
                          .to(torch::kByte)
                          .permute({0, 2, 3, 1})
                          .flatten(0, 1)
                          .cpu()
                          .contiguous();  // [N H, columns W, 3]
  return cv::Mat(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC3,
                 pixels.data_ptr())
      .clone();
}

}  // namespace

MaeTask::MaeTask(Model model, Loader& val, Options options)
    : Task(std::move(model), options.device), val_(val), options_(std::move(options)) {}

Tensor MaeTask::loss(const Batch& batch) {
  MaskedAutoencoder::Painting painting;
  {
    const PrecisionGuard precision(options_.precision, options_.device);
    painting = autoencoder().paint(normalize(batch.images), batch.patch_order);
  }
  return masked_pixel_loss(painting, model().config.mae.alignment);
}

Evaluation MaeTask::evaluate() {
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(network());
  double sum = 0;
  int64_t plates = 0;
  Evaluation evaluation;
  val_.seek(0);
  while (auto next = val_.next()) {
    const auto batch = to_device(std::move(*next), options_.device);
    sum += loss(batch).item<double>() * static_cast<double>(batch.size());
    if (plates == 0) {
      const auto images = normalize(batch.images.slice(0, 0, kShownPlates));
      const auto order = batch.patch_order.slice(0, 0, kShownPlates);
      evaluation.pictures["reconstructions"] = sheet(
          {images, autoencoder().masked(images, order), autoencoder().reconstruct(images, order)});
    }
    plates += batch.size();
  }
  const double loss = plates > 0 ? sum / static_cast<double>(plates) : 0;
  evaluation.json = {{"samples", plates}, {"loss", loss}};
  std::ostringstream line;
  line << std::fixed << std::setprecision(4) << "loss of hidden patches " << loss << " on "
       << plates << " plates";
  evaluation.line = line.str();
  return evaluation;
}

}  // namespace plateforge
