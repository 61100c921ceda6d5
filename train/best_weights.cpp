#include "train/best_weights.h"

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr auto kLast = "last", kLoss = "loss";

}  // namespace

bool fits_every_task(const std::string& best_by) { return best_by == kLast || best_by == kLoss; }

BestWeights::BestWeights(const TrainConfig& config) : by_(config.best_by) {
  require(by_ != kLast || config.early_stopping == 0,
          "train.best_by last knows no better weights to wait for: set train.early_stopping to 0");
}

bool BestWeights::take(const nlohmann::json& measured, TrainState& state) const {
  const double loss = measured.at(kLoss).get<double>();
  const double value = by_ == kLast ? loss : measured.at(by_).get<double>();
  const bool lower_is_better = by_ == "cer" || by_ == kLoss;
  const double gain = lower_is_better ? state.best - value : value - state.best;
  const bool better =
      by_ == kLast || state.best_step < 0 || gain > 0 || (gain == 0 && loss < state.best_loss);
  if (!better) return false;
  state.best = value;
  state.best_loss = loss;
  state.best_step = state.step;
  return true;
}

std::string BestWeights::line(const TrainState& state) const {
  const auto step = std::to_string(state.best_step);
  if (by_ == kLast) return "last weights, of step " + step;
  return "best " + by_ + " " + std::to_string(state.best) + " at step " + step;
}

}  // namespace plateforge
