#include "losses/atss.h"

#include <cmath>
#include <tuple>
#include <utility>

namespace plateforge {
namespace {

struct Candidate {
  int64_t anchor = 0;
  double distance = 0;  // squared, between the centres
  double iou = 0;
  bool inside = false;
};

// The anchors as plain arrays.
class AnchorView {
 public:
  explicit AnchorView(const Anchors& anchors)
      : centers_(anchors.centers.contiguous()),
        boxes_(anchors.boxes.contiguous()),
        center_(centers_.const_data_ptr<float>()),
        box_(boxes_.const_data_ptr<float>()) {}

  int64_t size() const { return centers_.size(0); }
  float x(int64_t anchor) const { return center_[2 * anchor]; }
  float y(int64_t anchor) const { return center_[2 * anchor + 1]; }
  Box box(int64_t anchor) const {
    const float* side = box_ + 4 * anchor;
    return {side[0], side[1], side[2], side[3]};
  }

 private:
  torch::Tensor centers_, boxes_;
  const float *center_, *box_;
};

// The `count` anchors in [first, last) nearest to a point, appended to `found`.
void add_nearest(const AnchorView& anchors, int64_t first, int64_t last, double x, double y,
                 size_t count, std::vector<Candidate>& found) {
  std::vector<std::pair<double, int64_t>> nearest;  // sorted, hardly ever changed
  for (int64_t a = first; a < last; ++a) {
    const double dx = anchors.x(a) - x, dy = anchors.y(a) - y;
    const std::pair<double, int64_t> entry{dx * dx + dy * dy, a};
    if (nearest.size() == count && !(entry.first < nearest.back().first)) continue;
    nearest.insert(std::upper_bound(nearest.begin(), nearest.end(), entry), entry);
    if (nearest.size() > count) nearest.pop_back();
  }
  for (const auto& [distance, a] : nearest)
    found.push_back({.anchor = a, .distance = distance, .iou = 0, .inside = false});
}

std::vector<Candidate> candidates_of(const AnchorView& anchors,
                                     const std::vector<int64_t>& level_sizes, const Box& box,
                                     const AtssOptions& options) {
  std::vector<Candidate> found;
  const double x = 0.5 * (double{box[0]} + box[2]), y = 0.5 * (double{box[1]} + box[3]);
  int64_t first = 0;
  for (const int64_t size : level_sizes) {
    add_nearest(anchors, first, first + size, x, y, static_cast<size_t>(options.candidates), found);
    first += size;
  }
  const double margin = options.inside * std::sqrt(area(box));
  for (Candidate& candidate : found) {
    const float cx = anchors.x(candidate.anchor), cy = anchors.y(candidate.anchor);
    candidate.iou = iou(anchors.box(candidate.anchor), box);
    candidate.inside = std::min({cx - box[0], cy - box[1], box[2] - cx, box[3] - cy}) > margin;
  }
  return found;
}

// Mean + unbiased standard deviation of the candidates' IoUs.
double threshold_of(const std::vector<Candidate>& candidates) {
  const auto count = static_cast<double>(candidates.size());
  double mean = 0, squares = 0;
  for (const Candidate& candidate : candidates) mean += candidate.iou / count;
  for (const Candidate& candidate : candidates)
    squares += (candidate.iou - mean) * (candidate.iou - mean);
  return mean + (count > 1 ? std::sqrt(squares / (count - 1)) : 0);
}

// The best candidate that stands for no plate yet; nullptr when there is none.
const Candidate* best_free(const std::vector<Candidate>& candidates,
                           const std::vector<int64_t>& plate_of) {
  const auto rank = [](const Candidate& c) { return std::tuple(c.inside, c.iou, -c.distance); };
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (plate_of[static_cast<size_t>(candidate.anchor)] >= 0) continue;
    if (!best || rank(candidate) > rank(*best)) best = &candidate;
  }
  return best;
}

void leave_out(const AnchorView& anchors, const Box& region, std::vector<int64_t>& plate_of) {
  for (int64_t a = 0; a < anchors.size(); ++a) {
    int64_t& plate = plate_of[static_cast<size_t>(a)];
    if (plate >= 0) continue;
    const float x = anchors.x(a), y = anchors.y(a);
    if (x >= region[0] && x <= region[2] && y >= region[1] && y <= region[3])
      plate = kIgnoredAnchor;
  }
}

}  // namespace

std::vector<int64_t> assign_atss(const Anchors& anchors, std::span<const PlateBox> plates,
                                 const AtssOptions& options) {
  const AnchorView view(anchors);
  const auto size = static_cast<size_t>(view.size());
  std::vector<int64_t> plate_of(size, kBackground);
  std::vector<double> iou_of(size, 0);  // with that plate
  std::vector<std::vector<Candidate>> candidates(plates.size());
  for (size_t m = 0; m < plates.size(); ++m) {
    if (plates[m].ignore) continue;
    candidates[m] = candidates_of(view, anchors.level_sizes, plates[m].box, options);
    const double threshold = threshold_of(candidates[m]);
    for (const Candidate& candidate : candidates[m]) {
      const auto a = static_cast<size_t>(candidate.anchor);
      if (!candidate.inside || candidate.iou < threshold) continue;
      if (plate_of[a] >= 0 && candidate.iou <= iou_of[a]) continue;
      plate_of[a] = static_cast<int64_t>(m);
      iou_of[a] = candidate.iou;
    }
  }

  std::vector<bool> found(plates.size(), false);
  for (const int64_t plate : plate_of)
    if (plate >= 0) found[static_cast<size_t>(plate)] = true;
  for (size_t m = 0; m < plates.size(); ++m) {
    if (plates[m].ignore || found[m]) continue;
    if (const Candidate* best = best_free(candidates[m], plate_of))
      plate_of[static_cast<size_t>(best->anchor)] = static_cast<int64_t>(m);
  }
  for (const PlateBox& plate : plates)
    if (plate.ignore) leave_out(view, plate.box, plate_of);
  return plate_of;
}

}  // namespace plateforge
