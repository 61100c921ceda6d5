#include "train/compression_data.h"

#include <torch/utils.h>

#include <algorithm>
#include <memory>

#include "configs/error.h"
#include "models/eval_mode.h"
#include "train/runtime.h"

namespace plateforge {
namespace {

constexpr int64_t kManyAtOnce = 64;
constexpr int64_t kBatch = 20;  // small enough for its activations to stay in the cache

// The rows of several batches by their numbers, counted through all of them.
class Labels {
 public:
  explicit Labels(std::vector<Batch> batches) : batches_(std::move(batches)) {
    for (size_t b = 0; b < batches_.size(); ++b)
      for (int64_t row = 0; row < batches_[b].size(); ++row) places_.emplace_back(b, row);
  }
  Batch batch_of(int64_t picture) const {
    const auto [b, row] = places_.at(static_cast<size_t>(picture));
    return rows(batches_[b], row, 1);
  }

 private:
  std::vector<Batch> batches_;
  std::vector<std::pair<size_t, int64_t>> places_;
};

std::vector<Batch> all_batches(const Exam& exam, int64_t batch_size) {
  auto loader = exam.open(batch_size);
  std::vector<Batch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

Quality quality_of(Network& network, const Exam& exam, const std::vector<Batch>& samples,
                   torch::Device device) {
  const torch::NoGradGuard no_grad;
  const EvalMode at_rest(network);
  double loss = 0, score = 0, count = 0;
  for (const auto& sample : samples) {
    const auto batch = to_device(sample, device);
    const auto outputs = network.forward(normalize(batch.images));
    loss += exam.loss(outputs, batch).item<double>() * static_cast<double>(batch.size());
    for (const auto& judgement : exam.judge(outputs, batch)) score += judgement.score;
    count += static_cast<double>(batch.size());
  }
  return {loss / count, score / count};
}

}  // namespace

std::vector<Batch> all_samples(const Exam& exam) { return all_batches(exam, kManyAtOnce); }

std::vector<torch::Tensor> network_inputs(const Exam& exam) {
  auto loader = exam.open(kBatch);
  std::vector<torch::Tensor> inputs;
  while (const auto batch = loader.next()) inputs.push_back(normalize(batch->images));
  return inputs;
}

std::vector<Batch> take_samples(const Exam& exam, int64_t count, const std::string& origin) {
  require(std::min(count, exam.size()) >= kLeastCalibration, "calibration needs at least ",
          kLeastCalibration, " ", exam.names().samples, ", ", origin, " has ", exam.size());
  return all_samples(*exam.draw(count, /*seed=*/0));
}

Calibration make_calibration(NetworkPtr network, ExamPtr exam, std::vector<Batch> samples,
                             torch::Device device) {
  Calibration calibration;
  for (const auto& batch : samples)
    calibration.images.push_back(normalize(batch.images.to(device)));
  const auto kept = std::make_shared<const std::vector<Batch>>(std::move(samples));
  calibration.measure = [network, exam, kept, device] {
    return quality_of(*network, *exam, *kept, device);
  };
  return calibration;
}

TensorDict mean_gradients(Network& network, const Exam& exam, const std::vector<Batch>& samples,
                          torch::Device device) {
  const EvalMode at_rest(network);
  TensorDict sums;
  for (const auto& sample : samples) {
    const auto batch = to_device(sample, device);
    network.zero_grad();
    exam.loss(network.forward(normalize(batch.images)), batch).backward();
    for (const auto& item : network.named_parameters()) {
      const auto& gradient = item.value().grad();
      const auto share = gradient.defined() ? gradient.abs() / static_cast<double>(samples.size())
                                            : torch::zeros_like(item.value());
      auto& sum = sums[item.key()];
      sum = sum.defined() ? sum + share : share;
    }
  }
  network.zero_grad();
  return sums;
}

Jury make_jury(const ExamPtr& exam) {
  auto batches = all_batches(*exam, kBatch);
  std::vector<torch::Tensor> inputs;
  for (const auto& batch : batches) inputs.push_back(normalize(batch.images));
  const auto labels = std::make_shared<const Labels>(std::move(batches));
  const auto judge = [exam, labels](const torch::Tensor& outputs,
                                    const std::vector<int64_t>& pictures) {
    std::vector<Judgement> judgements;
    for (size_t i = 0; i < pictures.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      judgements.push_back(
          exam->judge(outputs.slice(0, row, row + 1), labels->batch_of(pictures[i])).at(0));
    }
    return judgements;
  };
  return {std::move(inputs), judge};
}

}  // namespace plateforge
