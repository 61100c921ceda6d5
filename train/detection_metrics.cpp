#include "train/detection_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr double kGoodCorners = 6;  // percent of the plate's height
constexpr double kFalsePositives[] = {0.01, 0.1, 1};

double distance(const Point& a, const Point& b) {
  return std::hypot(double{a.x} - b.x, double{a.y} - b.y);
}

double corner_error_percent(const std::array<Point, 4>& found, const std::array<Point, 4>& truth) {
  double off = 0;
  for (size_t i = 0; i < 4; ++i) off += distance(found[i], truth[i]) / 4;
  const double height = (distance(truth[0], truth[3]) + distance(truth[1], truth[2])) / 2;
  return height > 0 ? 100 * off / height : std::numeric_limits<double>::infinity();
}

double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(place);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

std::string row(const std::string& name, const char* format, double value) {
  char number[64];
  std::snprintf(number, sizeof number, format, value);
  std::string padded = name;
  padded.resize(std::max<size_t>(padded.size(), 28), ' ');
  return padded + "  " + number + "\n";
}

}  // namespace

void DetectionMetrics::add(FrameResult frame) {
  auto& found = frame.detections;
  std::stable_sort(found.begin(), found.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  ++frames_;
  average_precision_.add(found, frame.plates);
  const bool any = std::any_of(frame.plates.begin(), frame.plates.end(),
                               [](const TruePlate& plate) { return !plate.ignore; });
  if (any) {
    bool hit = false;
    for (const TruePlate& plate : frame.plates)
      hit = hit || (!plate.ignore && !found.empty() && iou(found.front().box, plate.box) > 0.7);
    iou70_.add(frame.source, hit);
  }

  std::erase_if(found, [&](const Detection& detection) { return detection.score < threshold_; });
  const auto matches = match_detections(found, frame.plates, 0.5);
  int64_t plates_found = 0;
  for (const Match& match : matches) {
    if (match.ignored) continue;
    precision_.add(match.plate >= 0);
    plates_found += match.plate >= 0 ? 1 : 0;
  }
  recall_.hits += plates_found;
  for (const TruePlate& plate : frame.plates) recall_.total += plate.ignore ? 0 : 1;
  if (frame.plates.empty()) {
    empty_frames_.add(!found.empty());
    empty_detections_ += static_cast<int64_t>(found.size());
  }
  add_corners(frame, matches);
}

void DetectionMetrics::add_corners(const FrameResult& frame, const std::vector<Match>& matches) {
  for (const TruePlate& plate : frame.plates)
    corner_accuracy_.total += !plate.ignore && plate.corners ? 1 : 0;
  for (size_t i = 0; i < matches.size(); ++i) {
    if (matches[i].plate < 0 || matches[i].ignored) continue;
    const TruePlate& plate = frame.plates[static_cast<size_t>(matches[i].plate)];
    if (!plate.corners) continue;
    const double error = corner_error_percent(frame.detections[i].corners, *plate.corners);
    corner_errors_.push_back(error);
    corner_accuracy_.hits += error <= kGoodCorners ? 1 : 0;
  }
}

double DetectionMetrics::f1() const {
  const double p = precision_.value(), r = recall_.value();
  return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

double DetectionMetrics::false_positives_per_empty_frame() const {
  if (empty_frames_.total == 0) return 0;
  return static_cast<double>(empty_detections_) / static_cast<double>(empty_frames_.total);
}

std::optional<DetectionMetrics::CornerError> DetectionMetrics::corner_error() const {
  if (corner_errors_.empty()) return std::nullopt;
  auto sorted = corner_errors_;
  std::sort(sorted.begin(), sorted.end());
  const auto count = static_cast<double>(sorted.size());
  CornerError error{
      .mean = 0, .median = quantile(sorted, 0.5), .p95 = quantile(sorted, 0.95), .interval95 = {}};
  for (const double one : sorted) error.mean += one / count;
  double squares = 0;
  for (const double one : sorted) squares += (one - error.mean) * (one - error.mean);
  const double half = count > 1 ? kZ95 * std::sqrt(squares / (count - 1) / count) : 0;
  error.interval95 = {std::max(0.0, error.mean - half), error.mean + half};
  return error;
}

double DetectionMetrics::value(const std::string& name) const {
  if (name == "iou70") return iou70_.value();
  if (name == "ap50") return ap50();
  if (name == "ap75") return ap75();
  if (name == "ap50_95") return ap50_95();
  if (name == "precision") return precision_.value();
  if (name == "recall") return recall_.value();
  if (name == "f1") return f1();
  if (name == "corner_accuracy") return corner_accuracy_.value();
  if (name == "false_positives_per_empty_frame") return false_positives_per_empty_frame();
  if (name == "corner_error") {
    const auto error = corner_error();
    return error ? error->mean : std::numeric_limits<double>::infinity();
  }
  fail("unknown detector metric '", name,
       "'; known: ap50, ap50_95, ap75, corner_accuracy, corner_error, f1, "
       "false_positives_per_empty_frame, iou70, precision, recall");
}

nlohmann::json DetectionMetrics::to_json() const {
  nlohmann::json json = {{"samples", frames_},
                         {"plates", recall_.total},
                         {"empty_frames", empty_frames_.total},
                         {"score_threshold", threshold_},
                         {"ap50", ap50()},
                         {"ap75", ap75()},
                         {"ap50_95", ap50_95()},
                         {"precision", precision_.value()},
                         {"recall", recall_.value()},
                         {"f1", f1()},
                         {"corner_accuracy", corner_accuracy_.value()},
                         {"corner_error", nullptr},
                         {"false_positives_per_empty_frame", nullptr}};
  auto& intervals = json["interval95"];
  intervals = {{"precision", interval_json(precision_.interval95())},
               {"recall", interval_json(recall_.interval95())},
               {"corner_accuracy", interval_json(corner_accuracy_.interval95())}};
  if (const auto error = corner_error()) {
    json["corner_error"] = {{"samples", corner_errors_.size()},
                            {"mean", error->mean},
                            {"median", error->median},
                            {"p95", error->p95}};
    intervals["corner_error"] = interval_json(error->interval95);
  }
  if (empty_frames_.total > 0) {
    json["false_positives_per_empty_frame"] = false_positives_per_empty_frame();
    json["empty_frames_with_detections"] = empty_frames_.value();
    intervals["empty_frames_with_detections"] = interval_json(empty_frames_.interval95());
  }
  json["recall_at_fppi"] = nlohmann::json::array();
  for (const double allowed : kFalsePositives) {
    auto entry = share_json("recall", average_precision_.recall_at(allowed));
    entry["false_positives_per_frame"] = allowed;
    json["recall_at_fppi"].push_back(entry);
  }
  iou70_.add_to(json, "iou70");
  return json;
}

std::string DetectionMetrics::to_text() const {
  std::string text = row("frames", "%.0f", static_cast<double>(frames_)) +
                     row("plates", "%.0f", static_cast<double>(recall_.total));
  text += iou70_.to_text("best box, IoU > 0.7");
  text +=
      row("AP50", "%.4f", ap50()) + row("AP75", "%.4f", ap75()) + row("AP50-95", "%.4f", ap50_95());
  char limit[32];
  std::snprintf(limit, sizeof limit, " (score >= %.2f)", threshold_);
  text += percent_line("precision" + std::string(limit), precision_);
  text += percent_line("recall" + std::string(limit), recall_);
  text += row("F1" + std::string(limit), "%.4f", f1());
  for (const double allowed : kFalsePositives) {
    char name[64];
    std::snprintf(name, sizeof name, "recall at %g FP per frame", allowed);
    text += percent_line(name, average_precision_.recall_at(allowed));
  }
  if (empty_frames_.total > 0) {
    text += row("FP per plate-free frame", "%.4f", false_positives_per_empty_frame());
    text += percent_line("plate-free frames with FP", empty_frames_);
  }
  if (const auto error = corner_error()) {
    text += row("corner error, mean", "%7.2f %% of the plate's height", error->mean) +
            row("  median", "%7.2f %%", error->median) + row("  p95", "%7.2f %%", error->p95);
    text += percent_line("corners within 6 %", corner_accuracy_);
  }
  return text;
}

}  // namespace plateforge
