#include "compress/prune/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "configs/error.h"

namespace plateforge {
namespace {

struct Point {
  double ratio, increase;
};

// A stretch of a curve over which every weight costs the same.
struct Piece {
  size_t layer;
  double weights, from, to, increase;
  double cost() const { return increase / weights; }
};

double slope(const Point& a, const Point& b) {
  return (b.increase - a.increase) / (b.ratio - a.ratio);
}

// Corners of the largest convex function below the monotone curve.
std::vector<Point> convex_minorant(const LayerCurve& curve) {
  const auto monotone = isotonic(curve.increases);
  std::vector<Point> corners = {{0, 0}};
  for (size_t i = 0; i < monotone.size(); ++i) {
    const Point next{curve.ratios[i], std::max(0.0, monotone[i])};
    while (corners.size() > 1 &&
           slope(corners[corners.size() - 2], corners.back()) >= slope(corners.back(), next))
      corners.pop_back();
    corners.push_back(next);
  }
  return corners;
}

}  // namespace

std::vector<double> isotonic(const std::vector<double>& values) {
  struct Block {
    double mean;
    size_t count;
  };
  std::vector<Block> blocks;
  for (const double value : values) {
    blocks.push_back({value, 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean > blocks.back().mean) {
      const auto last = blocks.back();
      blocks.pop_back();
      auto& block = blocks.back();
      const auto total = static_cast<double>(block.count + last.count);
      block.mean = (block.mean * static_cast<double>(block.count) +
                    last.mean * static_cast<double>(last.count)) /
                   total;
      block.count += last.count;
    }
  }
  std::vector<double> fitted;
  for (const auto& block : blocks) fitted.insert(fitted.end(), block.count, block.mean);
  return fitted;
}

Ratios allocate_by_curves(const std::vector<LayerCurve>& curves, double ratio) {
  std::vector<Piece> pieces;
  double wanted = 0, possible = 0;
  for (size_t layer = 0; layer < curves.size(); ++layer) {
    const auto corners = convex_minorant(curves[layer]);
    const auto weights = static_cast<double>(curves[layer].weights);
    wanted += ratio * weights;
    for (size_t i = 1; i < corners.size(); ++i) {
      const auto &from = corners[i - 1], &to = corners[i];
      pieces.push_back({layer, (to.ratio - from.ratio) * weights, from.ratio, to.ratio,
                        to.increase - from.increase});
      possible += pieces.back().weights;
    }
  }
  require(possible >= wanted * (1 - 1e-9), "prune.ratio = ", ratio,
          " is more than the layers' sensitivity was measured for: at most ",
          ratio * possible / wanted);
  // Within a layer the pieces are convex, so that the order by cost takes them from left to right.
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.cost() < b.cost(); });
  Ratios ratios(curves.size(), 0);
  for (const auto& piece : pieces) {
    const double share = std::clamp(wanted / piece.weights, 0.0, 1.0);
    if (share > 0) ratios[piece.layer] = piece.from + share * (piece.to - piece.from);
    wanted -= share * piece.weights;
  }
  return ratios;
}

double predicted_increase(const std::vector<LayerCurve>& curves, const Ratios& ratios) {
  double sum = 0;
  for (size_t layer = 0; layer < curves.size(); ++layer) {
    const auto corners = convex_minorant(curves[layer]);
    for (size_t i = 1; i < corners.size(); ++i) {
      const auto &from = corners[i - 1], &to = corners[i];
      const double share = (ratios[layer] - from.ratio) / (to.ratio - from.ratio);
      sum += std::clamp(share, 0.0, 1.0) * (to.increase - from.increase);
    }
  }
  return sum;
}

}  // namespace plateforge
