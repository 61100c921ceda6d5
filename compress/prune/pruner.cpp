#include "compress/prune/pruner.h"

#include <torch/utils.h>

#include <algorithm>
#include <cstdio>

#include "compress/batch_norm.h"
#include "compress/prune/masks.h"
#include "compress/prune/sensitivity_scan.h"
#include "compress/prune/sparsity_report.h"
#include "configs/error.h"
#include "configs/log.h"
#include "configs/numbers.h"
#include "models/graph/trace.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr int64_t kCorrections = 2;   // of a sensitivity allocation
constexpr int64_t kBudgetTrials = 6;  // prunings to meet a budget
constexpr double kMostPruned = 0.99;

std::vector<Tensor> state_of(Network& network) {
  auto state = network.parameters();
  for (const auto& buffer : network.buffers()) state.push_back(buffer);
  return state;
}

Graph open_graph(Network& network, Shape image_shape) {
  image_shape.at(0) = -1;
  return trace(network, image_shape);
}

// Its constants do not change when the network's do.
Graph frozen(Graph graph) {
  for (auto& tensor : graph.tensors)
    if (tensor.is_constant()) tensor.value = tensor.value.clone();
  return graph;
}

}  // namespace

Pruner::Pruner(Network& network, const Shape& image_shape, const PruneConfig& config,
               Calibration calibration, std::filesystem::path scan_file)
    : network_(network),
      config_(config),
      calibration_(std::move(calibration)),
      scan_file_(std::move(scan_file)),
      graph_(open_graph(network, image_shape)),
      dense_graph_(frozen(graph_)),
      layers_(prunable_layers(network, image_shape)),
      state_(state_of(network)),
      problems_(layers_.size()) {
  for (const auto& tensor : state_) dense_state_.push_back(tensor.detach().clone());
  fits_estimated_norms_ = fits_estimated_norms(network_, calibration_);
  const bool has_pattern = parse_pattern(config_.pattern).has_value();
  require(!has_pattern || (config_.max_bytes == 0 && config_.max_drop == 0),
          "prune.pattern = ", config_.pattern,
          " fixes the ratio, so that prune.max_drop and prune.max_bytes cannot ", "change it");
  if (config_.scores != "magnitude") require_plates("prune.scores = " + config_.scores);
  if (config_.max_drop > 0) require_plates("prune.max_drop");
  if (config_.allocation == "sensitivity" && !has_pattern)
    require_plates("prune.allocation = sensitivity");
}

void Pruner::require_plates(const std::string& what) const {
  require(!calibration_.images.empty() && calibration_.measure, what,
          " needs plates to measure on: name some of the training half with --calibrate");
}

std::map<std::string, double> Pruner::prune() {
  const torch::NoGradGuard no_grad;
  double ratio = config_.ratio;
  if (config_.max_bytes > 0) ratio = ratio_within_bytes();
  if (config_.max_drop > 0) ratio = ratio_within_drop(ratio);
  prune_to(allocate_ratios(ratio));
  estimate_norms();
  std::map<std::string, double> zeros;
  for (const auto& layer : layers_) zeros[layer.name] = zero_share(layer.weight);
  return zeros;
}

Ratios Pruner::allocate_ratios(double ratio) {
  const torch::NoGradGuard no_grad;
  if (!config_.pattern.empty()) return pattern_ratios();
  if (config_.allocation == "sensitivity") return sensitivity_ratios(ratio);
  auto config = config_;
  config.ratio = ratio;
  return allocate(config, layers_, dense_scores());
}

// Layers that the pattern does not divide stay dense, as do those named with the ratio 0.
Ratios Pruner::pattern_ratios() const {
  const auto pattern = *parse_pattern(config_.pattern);
  const auto named = ratios_by_prefix(config_.layers, layers_);
  Ratios ratios;
  for (const auto& layer : layers_) {
    const auto found = named.find(layer.name);
    const bool dense = found != named.end() && found->second == 0;
    require(found == named.end() || dense, "prune.layers: with prune.pattern a layer's ratio can ",
            "only be 0, not ", found == named.end() ? 0 : found->second);
    ratios.push_back(!dense && pattern.fits(layer.weight) ? pattern.ratio() : 0);
  }
  return ratios;
}

std::vector<Tensor> Pruner::dense_scores() {
  if (!scores_.empty()) return scores_;
  restore();
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto& layer = layers_[i];
    if (config_.scores == "second_order")
      scores_.push_back(dense_problem(i).scores());
    else if (config_.scores == "wanda")
      scores_.push_back(
          wanda_scores(layer, LayerInputs(dense_graph_, layer.parameter), calibration_.images));
    else
      scores_.push_back(layer.weight.abs());
  }
  return scores_;
}

const LayerProblem& Pruner::dense_problem(size_t layer) {
  auto& problem = problems_[layer];
  if (!problem)
    problem.emplace(layers_[layer], LayerInputs(dense_graph_, layers_[layer].parameter), nullptr,
                    calibration_.images);
  return *problem;
}

Tensor Pruner::mask(const Tensor& scores, double ratio) const {
  const auto pattern = parse_pattern(config_.pattern);
  return pattern ? mask_pattern(scores, *pattern) : mask_lowest(scores, ratio);
}

void Pruner::prune_to(const Ratios& ratios) {
  const torch::NoGradGuard no_grad;
  restore();
  bool first = true;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (ratios[i] <= 0) continue;
    if (config_.scores == "second_order")
      solve_layer(i, ratios[i], first);
    else
      layers_[i].weight.mul_(mask(dense_scores()[i], ratios[i]));
    first = false;
  }
}

// Before the first pruned layer the network still is the unpruned one.
void Pruner::solve_layer(size_t i, double ratio, bool first) {
  const auto& layer = layers_[i];
  const auto solve = [&](const LayerProblem& problem) {
    problem.solve(mask(problem.scores(), ratio), layer);
  };
  if (first) return solve(dense_problem(i));
  const LayerInputs now(graph_, layer.parameter), dense(dense_graph_, layer.parameter);
  solve(LayerProblem(layer, now, &dense, calibration_.images));
}

Quality Pruner::try_ratios(const Ratios& ratios) {
  prune_to(ratios);
  estimate_norms();
  const auto quality = calibration_.measure();
  restore();
  return quality;
}

void Pruner::restore() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < state_.size(); ++i) state_[i].copy_(dense_state_[i]);
}

void Pruner::estimate_norms() {
  if (fits_estimated_norms_) estimate_batch_norm(network_, calibration_);
}

Ratios Pruner::sensitivity_ratios(double ratio) {
  const auto named = ratios_by_prefix(config_.layers, layers_);
  std::vector<size_t> free;
  Ratios fixed;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto found = named.find(layers_[i].name);
    fixed.push_back(found == named.end() ? 0 : found->second);
    if (found == named.end()) free.push_back(i);
  }
  const auto measure = [this](const Ratios& ratios) { return try_ratios(ratios); };
  const auto spread = [&](const Ratios& of_free) {
    auto ratios = fixed;
    for (size_t i = 0; i < free.size(); ++i) ratios[free[i]] = of_free[i];
    return ratios;
  };
  if (curves_.empty()) {
    curves_ = scan_sensitivity(layers_, free, measure, {scan_file_, scan_key()});
    // Solving every layer again and again would take hours.
    if (config_.scores != "second_order")
      correct_jointly(curves_, ratio, kCorrections, measure, spread);
  }
  return spread(allocate_by_curves(curves_, ratio));
}

// What a scan depends on.
std::string Pruner::scan_key() const {
  double weights = 0, plates = 0;
  for (const auto& tensor : dense_state_)
    weights += tensor.to(torch::kDouble).abs().sum().item<double>();
  for (const auto& batch : calibration_.images)
    plates += batch.to(torch::kDouble).abs().sum().item<double>();
  char text[128];
  std::snprintf(text, sizeof text, "%s weights %a plates %a", config_.scores.c_str(), weights,
                plates);
  return text;
}

double Pruner::ratio_within_bytes() {
  const auto bytes_at = [&](double ratio) {
    prune_to(allocate_ratios(ratio));
    return gzip_bytes(weights_of(layers_));
  };
  if (bytes_at(config_.ratio) <= config_.max_bytes) return config_.ratio;
  double low = config_.ratio, high = kMostPruned;
  const auto least = bytes_at(high);
  require(least <= config_.max_bytes, "prune.max_bytes = ", config_.max_bytes,
          " cannot be met: ", 100 * high, " % zeros still need ", least, " bytes");
  for (int64_t trial = 0; trial < kBudgetTrials; ++trial) {
    const double middle = (low + high) / 2;
    (bytes_at(middle) <= config_.max_bytes ? high : low) = middle;
  }
  return high;
}

double Pruner::ratio_within_drop(double most) {
  const auto dense = try_ratios(Ratios(layers_.size(), 0)).score;
  const auto holds = [&](double ratio) {
    const auto drop = dense - try_ratios(allocate_ratios(ratio)).score;
    char line[80];
    std::snprintf(line, sizeof line, "%.2f %% zeros: exact match falls by %.4f", 100 * ratio, drop);
    log_info(line);
    return within(drop, config_.max_drop);
  };
  if (holds(most)) return most;
  double low = 0, high = most;
  for (int64_t trial = 0; trial < kBudgetTrials; ++trial) {
    const double middle = (low + high) / 2;
    (holds(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace plateforge
