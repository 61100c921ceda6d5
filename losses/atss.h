#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/box.h"
#include "models/detector.h"

namespace plateforge {

// A plate as the assignment sees it, pixels of the network's input.
struct PlateBox {
  Box box{};
  bool ignore = false;  // neither a plate to find nor background
};

struct AtssOptions {
  int64_t candidates = 9;  // nearest anchors per level; a smaller level gives all that it has
  double inside = 0.001;   // of sqrt(box area), SCRFD's test; negative: centres outside pass too
};

// What an anchor stands for when it stands for no plate.
inline constexpr int64_t kBackground = -1, kIgnoredAnchor = -2;

// Adaptive training sample selection (Zhang et al. 2020, arXiv 1912.02424). Per anchor: the index
// of its plate, kBackground, or kIgnoredAnchor.
//   Candidates of a plate are the anchors of each level whose centres are nearest to the box's
//   (equal distances: the lower index). A candidate is positive when its IoU with the plate is no
//   less than mean + unbiased standard deviation of the candidates' IoUs and its centre is inside.
//   An anchor that is positive for several plates goes to the one with the highest IoU (equal: the
//   lower index).
// Beyond the paper: a plate left without an anchor (smaller than a stride, or all its anchors went
// to others) gets its best candidate that is still free: one with its centre inside if there is
// one, then by IoU, then by distance. It loses out only when other plates hold all its candidates.
// An anchor whose centre lies in an ignored plate (so does that of any anchor with more than half
// of its area there) is kIgnoredAnchor unless it is positive. `anchors` are on the host.
std::vector<int64_t> assign_atss(const Anchors& anchors, std::span<const PlateBox> plates,
                                 const AtssOptions& options = {});

}  // namespace plateforge
