#include "train/eval_weights.h"

#include "models/network.h"
#include "train/runtime.h"

namespace plateforge {

namespace {

constexpr int64_t kEstimationBatches = 32;

// The plain mean over all batches instead of an exponential one.
void use_cumulative_statistics(torch::nn::Module& network, bool on) {
  for (const auto& module : network.modules())
    if (auto* norm = module->as<torch::nn::BatchNorm2dImpl>()) {
      if (on) norm->reset_running_stats();
      norm->options.momentum(on ? std::optional<double>() : std::optional<double>(0.1));
    }
}

}  // namespace

EvalWeights::EvalWeights(Task& task, Optimizer& optimizer, Ema* ema, Loader& train,
                         int64_t position, torch::Device device)
    : task_(task), optimizer_(optimizer), ema_(ema) {
  if (ema_) ema_->swap();
  if (!optimizer_.has_eval_weights()) return;
  optimizer_.eval_mode();
  for (const auto& buffer : task_.network().buffers()) kept_buffers_.push_back(buffer.clone());
  estimate_batch_norm(train, position, device);
}

void EvalWeights::estimate_batch_norm(Loader& train, int64_t position, torch::Device device) {
  const torch::NoGradGuard no_grad;
  const auto random = random_generator(torch::kCPU).get_state();
  use_cumulative_statistics(task_.network(), true);
  task_.network().train();
  train.seek(0);
  for (int64_t i = 0; i < kEstimationBatches; ++i)
    task_.network().forward(normalize(train.next().value().images.to(device)));
  use_cumulative_statistics(task_.network(), false);
  random_generator(torch::kCPU).set_state(random);
  train.seek(position);
}

EvalWeights::~EvalWeights() {
  if (!kept_buffers_.empty()) {
    const torch::NoGradGuard no_grad;
    auto buffers = task_.network().buffers();
    for (size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(kept_buffers_[i]);
    optimizer_.train_mode();
  }
  if (ema_) ema_->swap();
}

}  // namespace plateforge
