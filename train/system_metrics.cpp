#include "train/system_metrics.h"

#include <algorithm>
#include <cstdio>

#include "configs/utf8.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;

constexpr double kReadable = 0.6, kFound = 0.7;  // IoU

Box box_of(const FoundPlate& plate) {
  return {plate.box.x, plate.box.y, plate.box.br().x, plate.box.br().y};
}

// The detection that overlaps a plate most.
const FoundPlate* best_of(const std::vector<FoundPlate>& found, const Box& plate) {
  const FoundPlate* best = nullptr;
  for (const auto& one : found)
    if (!best || iou(box_of(one), plate) > iou(box_of(*best), plate)) best = &one;
  return best;
}

// Published results on CCPD, percent; 0 = not told. What is pooled, over how much, by whom.
struct Published {
  const char *system, *protocol;
  double detection, crops, end_to_end;
};
constexpr Published kPublished[] = {
    {"SSD512 and HC (CCPD's authors)", "2019, six test subsets by size", 87.83, 0, 43.42},
    {"YOLOv5 and PDLPR, replicated", "2019, six test subsets by size", 95.1, 89.3, 87.3},
    {"YOLOv5 and PDLPR, replicated", "2019, mean of eight subsets", 96.2, 91.85, 89.49},
    {"RPnet (CCPD's authors)", "2018, all test images", 94.5, 0, 95.5},
    {"YOLOv5-PDLPR", "2018, all test images", 0, 0, 99.4},
};

std::string percent(double value) {
  char text[16];
  std::snprintf(text, sizeof text, "%7.2f", value);
  return value > 0 ? text : "      -";
}

std::string table_row(const std::string& system, const std::string& protocol, double detection,
                      double crops, double end_to_end) {
  char row[160];
  std::snprintf(row, sizeof row, "%-32s %-32s %s %s %s\n", system.c_str(), protocol.c_str(),
                percent(detection).c_str(), percent(crops).c_str(), percent(end_to_end).c_str());
  return row;
}

Json json_of(const SubsetShares& shares, const char* name) {
  Json json;
  shares.add_to(json, name);
  return json;
}

}  // namespace

void SystemMetrics::add(const SystemResult& frame) {
  ++frames_;
  const bool any = std::any_of(frame.plates.begin(), frame.plates.end(),
                               [](const TruePlate& plate) { return !plate.ignore; });
  if (any) {
    bool hit = false;
    for (const auto& plate : frame.plates)
      hit = hit || (!plate.ignore && !frame.found.empty() &&
                    iou(box_of(frame.found.front()), plate.box) > kFound);
    iou70_.add(frame.source, hit);
  }
  for (const auto& one : frame.found)
    false_positives_ += std::none_of(
        frame.plates.begin(), frame.plates.end(),
        [&](const TruePlate& plate) { return iou(box_of(one), plate.box) > kReadable; });
  for (size_t i = 0; i < frame.plates.size(); ++i) {
    const auto& truth = frame.texts.at(i);
    if (frame.plates[i].ignore || truth.empty()) continue;
    ++plates_;
    const auto* best = best_of(frame.found, frame.plates[i].box);
    const double overlap = best ? iou(box_of(*best), frame.plates[i].box) : 0;
    bool right = false, right_without_region = false;
    if (overlap > kReadable) {
      const auto& read = best->texts.at(0);
      const ReadResult result{truth, read.text, frame.source, read.confidence};
      reading_.add(result);
      ReaderMetrics one(region_);
      one.add(result);
      right = one.exact_match().hits > 0;
      right_without_region = one.exact_match_without_region().hits > 0;
    }
    end_to_end_.add(frame.source, right);
    end_to_end70_.add(frame.source, right && overlap > kFound);
    without_region_.add(frame.source, right_without_region);
    by_length_[split_utf8(truth).size()].add(right);
  }
}

void SystemMetrics::add_crop(const std::string& crop, const ReadResult& result) {
  ReaderMetrics one(region_);
  one.add(result);
  crops_[crop].exact.add(result.source, one.exact_match().hits > 0);
  crops_[crop].without_region.add(result.source, one.exact_match_without_region().hits > 0);
}

Json SystemMetrics::to_json() const {
  Json json = {
      {"samples", frames_},
      {"plates", plates_},
      {"false_positives_per_frame",
       static_cast<double>(false_positives_) / static_cast<double>(std::max<int64_t>(frames_, 1))},
      {"iou70", json_of(iou70_, "iou70")},
      {"end_to_end", json_of(end_to_end_, "end_to_end")},
      {"end_to_end70", json_of(end_to_end70_, "end_to_end70")},
      {"end_to_end_without_region", json_of(without_region_, "end_to_end_without_region")},
      {"by_length", Json::object()},
      {"crops", Json::object()},
      {"reading", reading_.to_json()}};
  for (const auto& [length, share] : by_length_)
    json["by_length"][std::to_string(length)] = share_json("end_to_end", share);
  for (const auto& [name, crop] : crops_)
    json["crops"][name] = {
        {"exact_match", json_of(crop.exact, "exact_match")},
        {"exact_match_without_region", json_of(crop.without_region, "exact_match_without_region")}};
  return json;
}

std::string SystemMetrics::to_text() const {
  std::string text = iou70_.to_text("best box, IoU > 0.7");
  text += end_to_end_.to_text("end to end, IoU > 0.6");
  text += without_region_.to_text("  without region character");
  text += end_to_end70_.to_text("end to end, IoU > 0.7");
  if (by_length_.size() > 1)
    for (const auto& [length, share] : by_length_)
      text += percent_line("  of " + std::to_string(length) + " characters", share);
  text += percent_line("read, where found", reading_.exact_match());
  for (const auto& [name, crop] : crops_) {
    text += crop.exact.to_text("annotated crop, " + name);
    text += crop.without_region.to_text("  without region character");
  }
  char line[80];
  std::snprintf(
      line, sizeof line, "false positives per frame     %.4f (%lld of %lld frames)\n",
      static_cast<double>(false_positives_) / static_cast<double>(std::max<int64_t>(frames_, 1)),
      static_cast<long long>(false_positives_), static_cast<long long>(frames_));
  return text + line;
}

std::string SystemMetrics::published_text() const {
  if (!end_to_end_.plain_mean()) return "";
  char head[160];
  std::snprintf(head, sizeof head, "%-32s %-32s %7s %7s %7s\n", "CCPD, percent",
                "release, what is pooled", "IoU>0.7", "crops", "to end");
  std::string text = head;
  for (const auto& row : kPublished)
    text += table_row(row.system, row.protocol, row.detection, row.crops, row.end_to_end);
  const auto crops = crops_.find("rectify");
  const auto ours = [&](const char* protocol, auto mean) {
    const auto value = [&](const SubsetShares& shares) {
      const auto share = mean(shares);
      return share ? 100 * share->value : 0;
    };
    if (mean(end_to_end_))
      text += table_row("this system", protocol, value(iou70_),
                        crops == crops_.end() ? 0 : value(crops->second.exact), value(end_to_end_));
  };
  ours("test subsets here, by size", [](const SubsetShares& s) { return s.weighted(); });
  ours("mean of the subsets here", [](const SubsetShares& s) { return s.plain_mean(); });
  return text;
}

}  // namespace plateforge
