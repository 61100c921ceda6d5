#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compress/calibration.h"
#include "compress/prune/sensitivity.h"

namespace plateforge {

// Prunes the network from its unpruned state to these ratios (one per layer) and measures it.
using TryRatios = std::function<Quality(const Ratios&)>;

// Where a scan keeps what it measured. The key says what was measured; a file with another key, or
// a damaged one, is started anew.
struct ScanFile {
  std::filesystem::path path = {};  // empty: nothing is kept
  std::string key = {};
};

// Prunes each of the `scanned` layers alone at several ratios. One curve per scanned layer.
std::vector<LayerCurve> scan_sensitivity(const std::vector<PrunableLayer>& layers,
                                         const std::vector<size_t>& scanned,
                                         const TryRatios& try_ratios, const ScanFile& file);

// Layers disturb each other, so that single curves do not add up. Measures all layers of `curves`
// together, then each of them left dense in turn, scales the curves to what that saved, allocates
// again; `rounds` times. Leaves the curves of the best ratios measured. `spread` puts one ratio per
// curve where it belongs among all layers' ratios.
using SpreadRatios = std::function<Ratios(const Ratios&)>;
void correct_jointly(std::vector<LayerCurve>& curves, double ratio, int64_t rounds,
                     const TryRatios& try_ratios, const SpreadRatios& spread);

}  // namespace plateforge
