#include "compress/prune/sensitivity_scan.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "configs/atomic_file.h"
#include "configs/log.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;

constexpr std::array kGrid = {0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.97};
constexpr double kLeastScale = 0.25, kMostScale = 4;  // of a curve per correction

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// The measurements of a scan by layer and ratio, on disk after each.
class Record {
 public:
  explicit Record(const ScanFile& file) : file_(file) {
    if (file_.path.empty() || !std::filesystem::exists(file_.path)) return;
    const auto json = Json::parse(read_file(file_.path), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || json.value("key", "") != file_.key) {
      log_info(file_.path.string() + " is of another scan: starting anew");
      return;
    }
    losses_ = json.value("losses", losses_);
    if (!losses_.empty()) log_info("going on with the scan in " + file_.path.string());
  }

  template <class Measure>
  double loss(const std::string& layer, double ratio, const Measure& measure) {
    auto& of_layer = losses_[layer];
    const auto at = number(ratio);
    if (const auto known = of_layer.find(at); known != of_layer.end()) return known->second;
    const double loss = of_layer[at] = measure();
    if (!file_.path.empty())
      write_file_atomically(file_.path, Json{{"key", file_.key}, {"losses", losses_}}.dump(1));
    return loss;
  }

 private:
  ScanFile file_;
  std::map<std::string, std::map<std::string, double>> losses_;
};

std::string curve_text(const LayerCurve& curve) {
  std::string text = "sensitivity of " + curve.layer + ":";
  for (size_t i = 0; i < curve.ratios.size(); ++i)
    text.append(" ")
        .append(number(100 * curve.ratios[i]))
        .append("% ")
        .append(number(curve.increases[i]));
  return text;
}

}  // namespace

std::vector<LayerCurve> scan_sensitivity(const std::vector<PrunableLayer>& layers,
                                         const std::vector<size_t>& scanned,
                                         const TryRatios& try_ratios, const ScanFile& file) {
  Record record(file);
  const Ratios dense(layers.size(), 0);
  const double base = record.loss("", 0, [&] { return try_ratios(dense).loss; });
  std::vector<LayerCurve> curves;
  for (const auto layer : scanned) {
    LayerCurve curve{.layer = layers[layer].name,
                     .weights = layers[layer].weight.numel(),
                     .ratios = {},
                     .increases = {}};
    for (const double ratio : kGrid) {
      const double loss = record.loss(curve.layer, ratio, [&] {
        auto ratios = dense;
        ratios[layer] = ratio;
        return try_ratios(ratios).loss;
      });
      curve.ratios.push_back(ratio);
      curve.increases.push_back(loss - base);
    }
    log_info(curve_text(curve));
    curves.push_back(std::move(curve));
  }
  return curves;
}

void correct_jointly(std::vector<LayerCurve>& curves, double ratio, int64_t rounds,
                     const TryRatios& try_ratios, const SpreadRatios& spread) {
  auto best = curves;
  double best_loss = 0;
  for (int64_t round = 0; round <= rounds; ++round) {
    const auto ratios = allocate_by_curves(curves, ratio);
    const double joint = try_ratios(spread(ratios)).loss;
    log_info("all layers together: loss " + number(joint) + ", single curves predict +" +
             number(predicted_increase(curves, ratios)));
    if (round == 0 || joint < best_loss) best = curves, best_loss = joint;
    if (round == rounds) break;
    for (size_t i = 0; i < curves.size(); ++i) {
      auto without = ratios;
      without[i] = 0;
      const double expected = predicted_increase({curves[i]}, {ratios[i]});
      if (expected <= 0) continue;
      const double saved = joint - try_ratios(spread(without)).loss;
      const double scale = std::clamp(saved / expected, kLeastScale, kMostScale);
      for (auto& increase : curves[i].increases) increase *= scale;
    }
  }
  curves = std::move(best);
}

}  // namespace plateforge
