#include "train/average_precision.h"

#include <algorithm>
#include <numeric>

namespace plateforge {
namespace {

constexpr size_t kMostDetections = 100;  // per frame
constexpr int kRecalls = 101;

}  // namespace

std::vector<Match> match_detections(const std::vector<Detection>& best_first,
                                    const std::vector<TruePlate>& plates, double threshold) {
  std::vector<size_t> order(plates.size());  // ignored plates last
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_partition(order.begin(), order.end(), [&](size_t i) { return !plates[i].ignore; });
  std::vector<bool> taken(plates.size(), false);
  std::vector<Match> matches;
  for (const Detection& detection : best_first) {
    const double own = area(detection.box);
    double best = std::min(threshold, 1 - 1e-10);
    Match match;
    for (const size_t i : order) {
      const TruePlate& plate = plates[i];
      if (plate.ignore && match.plate >= 0 && !match.ignored) break;
      if (taken[i] && !plate.ignore) continue;
      const double overlap = !plate.ignore
                                 ? iou(detection.box, plate.box)
                                 : (own > 0 ? intersection(detection.box, plate.box) / own : 0);
      if (overlap < best) continue;
      best = overlap;
      match = {.plate = static_cast<int64_t>(i), .ignored = plate.ignore};
    }
    if (match.plate >= 0) taken[static_cast<size_t>(match.plate)] = true;
    matches.push_back(match);
  }
  return matches;
}

double AveragePrecision::threshold(size_t index) {
  return 0.5 + static_cast<double>(index) * ((0.95 - 0.5) / 9);
}

void AveragePrecision::add(const std::vector<Detection>& best_first,
                           const std::vector<TruePlate>& plates) {
  ++frames_;
  for (const TruePlate& plate : plates) plates_ += plate.ignore ? 0 : 1;
  const size_t first = detections_.size();
  auto some = best_first;
  some.resize(std::min(some.size(), kMostDetections));
  for (const Detection& detection : some) {
    detections_.emplace_back();
    detections_.back().score = detection.score;
  }
  for (size_t t = 0; t < kThresholds; ++t) {
    const auto matches = match_detections(some, plates, threshold(t));
    for (size_t i = 0; i < matches.size(); ++i) {
      detections_[first + i].ignored[t] = matches[i].ignored;
      detections_[first + i].right[t] = matches[i].plate >= 0 && !matches[i].ignored;
    }
  }
}

std::vector<AveragePrecision::Scored> AveragePrecision::best_first() const {
  auto sorted = detections_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return sorted;
}

double AveragePrecision::at(size_t threshold_index) const {
  if (plates_ == 0) return 0;
  std::vector<double> precision, recall;
  int64_t right = 0, wrong = 0;
  for (const Scored& detection : best_first()) {
    if (detection.ignored[threshold_index]) continue;
    detection.right[threshold_index] ? ++right : ++wrong;
    precision.push_back(static_cast<double>(right) / static_cast<double>(right + wrong));
    recall.push_back(static_cast<double>(right) / static_cast<double>(plates_));
  }
  for (size_t i = precision.size(); i-- > 1;)
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  for (int i = 0; i < kRecalls; ++i) {
    const double wanted = i == kRecalls - 1 ? 1.0 : i * 0.01;
    const auto reached = std::lower_bound(recall.begin(), recall.end(), wanted);
    if (reached != recall.end()) sum += precision[static_cast<size_t>(reached - recall.begin())];
  }
  return sum / kRecalls;
}

double AveragePrecision::mean() const {
  double sum = 0;
  for (size_t t = 0; t < kThresholds; ++t) sum += at(t);
  return sum / kThresholds;
}

Proportion AveragePrecision::recall_at(double false_positives_per_frame) const {
  const double allowed = false_positives_per_frame * static_cast<double>(frames_);
  Proportion recall{.hits = 0, .total = plates_};
  int64_t right = 0, wrong = 0;
  const auto sorted = best_first();
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (!sorted[i].ignored[0]) sorted[i].right[0] ? ++right : ++wrong;
    if (static_cast<double>(wrong) > allowed) break;
    // A limit lies between two different scores.
    if (i + 1 == sorted.size() || sorted[i + 1].score < sorted[i].score) recall.hits = right;
  }
  return recall;
}

}  // namespace plateforge
