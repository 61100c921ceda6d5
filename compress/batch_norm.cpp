#include "compress/batch_norm.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/utils.h>

#include <string>
#include <vector>

#include "configs/log.h"

namespace plateforge {
namespace {

using Norm = torch::nn::BatchNorm2dImpl;

constexpr double kWorse = 1.5, kNoise = 0.1;  // of a loss that still counts as about the same

void collect_norms(const torch::nn::Module& module, std::vector<Norm*>& norms) {
  for (const auto& child : module.children()) {
    if (auto* norm = child->as<Norm>()) norms.push_back(norm);
    collect_norms(*child, norms);
  }
}

std::vector<Norm*> norms_of(const Network& network) {
  std::vector<Norm*> norms;
  collect_norms(network, norms);
  return norms;
}

// The network at rest but for its norms, which average plainly; as it was afterwards.
class Estimating {
 public:
  explicit Estimating(Network& network, const std::vector<Norm*>& norms)
      : network_(network), training_(network.is_training()), norms_(norms) {
    network_.eval();
    for (auto* norm : norms_) {
      momenta_.push_back(norm->options.momentum());
      norm->options.momentum(std::nullopt);
      norm->reset_running_stats();
      norm->train();
    }
  }
  ~Estimating() {
    for (size_t i = 0; i < norms_.size(); ++i) norms_[i]->options.momentum(momenta_[i]);
    network_.train(training_);
  }
  Estimating(const Estimating&) = delete;
  Estimating& operator=(const Estimating&) = delete;

 private:
  Network& network_;
  bool training_;
  std::vector<Norm*> norms_;
  std::vector<std::optional<double>> momenta_;
};

}  // namespace

void estimate_batch_norm(Network& network, int64_t batches, const NextImages& next) {
  const auto norms = norms_of(network);
  if (norms.empty()) return;
  const torch::NoGradGuard no_grad;
  const Estimating estimating(network, norms);
  for (int64_t i = 0; i < batches; ++i) network.forward(next());
}

void estimate_batch_norm(Network& network, const Calibration& plates) {
  if (plates.images.empty()) return;
  size_t next = 0;
  estimate_batch_norm(network, std::ssize(plates.images), [&] { return plates.images[next++]; });
}

bool fits_estimated_norms(Network& network, const Calibration& plates) {
  if (plates.images.empty() || !plates.measure || norms_of(network).empty()) return true;
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> kept;
  for (const auto& buffer : network.buffers()) kept.push_back(buffer.clone());
  const auto before = plates.measure().loss;
  estimate_batch_norm(network, plates);
  const auto after = plates.measure().loss;
  const auto buffers = network.buffers();
  for (size_t i = 0; i < kept.size(); ++i) buffers[i].copy_(kept[i]);
  if (after <= kWorse * before + kNoise) return true;
  log_info(
      "BatchNorm statistics stay as they are: estimated on these plates they raise the loss of "
      "the network itself from " +
      std::to_string(before) + " to " + std::to_string(after));
  return false;
}

}  // namespace plateforge
