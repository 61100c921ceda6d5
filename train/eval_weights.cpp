#include "train/eval_weights.h"

#include <torch/utils.h>

#include "compress/batch_norm.h"
#include "models/network.h"

namespace plateforge {

namespace {

constexpr int64_t kEstimationBatches = 32;

}  // namespace

EvalWeights::EvalWeights(Task& task, Optimizer& optimizer, Ema* ema, Loader& train,
                         int64_t position, torch::Device device)
    : task_(task), optimizer_(optimizer), ema_(ema) {
  if (ema_) ema_->swap();
  if (!optimizer_.has_eval_weights()) return;
  optimizer_.eval_mode();
  for (const auto& buffer : task_.network().buffers()) kept_buffers_.push_back(buffer.clone());
  train.seek(0);
  estimate_batch_norm(task_.network(), kEstimationBatches,
                      [&] { return normalize(train.next().value().images.to(device)); });
  train.seek(position);
}

EvalWeights::~EvalWeights() {
  if (optimizer_.has_eval_weights()) {
    const torch::NoGradGuard no_grad;
    auto buffers = task_.network().buffers();
    for (size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(kept_buffers_[i]);
    optimizer_.train_mode();
  }
  if (ema_) ema_->swap();
}

}  // namespace plateforge
