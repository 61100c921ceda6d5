#include "train/predict/tracks.h"

#include <algorithm>
#include <numeric>

#include "models/box.h"

namespace plateforge {
namespace {

constexpr double kLeastOverlap = 0.2;  // IoU of a plate with where its track should be
constexpr double kLongestGap = 1.0;    // seconds

Box box_of(const cv::Rect2f& r) { return {r.x, r.y, r.br().x, r.br().y}; }

cv::Point2f middle(const cv::Rect2f& r) { return (r.tl() + r.br()) * 0.5F; }

}  // namespace

double Tracker::overlap(const Open& open, const FoundPlate& plate, int64_t frame) const {
  const auto frames = static_cast<float>(frame - open.track.last_frame);
  return iou(box_of(open.box + open.step * frames), box_of(plate.box));
}

void Tracker::add(Open& open, const FoundPlate& plate, const Picture& picture) {
  auto& track = open.track;
  if (track.frames > 0) {
    const auto frames = static_cast<float>(std::max<int64_t>(picture.frame - track.last_frame, 1));
    open.step = (middle(plate.box) - middle(open.box)) / frames;
  } else {
    track.first_frame = picture.frame, track.first_seconds = picture.seconds;
  }
  ++track.frames;
  track.last_frame = picture.frame, track.last_seconds = picture.seconds;
  open.box = plate.box;
  for (const auto& [text, confidence] : plate.texts) open.votes[text] += confidence;
}

void Tracker::follow(Prediction& prediction) {
  const auto& picture = prediction.picture;
  struct Pair {
    double overlap;
    size_t track, plate;
  };
  std::vector<Pair> pairs;
  for (size_t t = 0; t < tracks_.size(); ++t) {
    if (picture.seconds - tracks_[t].track.last_seconds > kLongestGap) continue;
    for (size_t p = 0; p < prediction.plates.size(); ++p) {
      const auto both = overlap(tracks_[t], prediction.plates[p], picture.frame);
      if (both >= kLeastOverlap) pairs.push_back({both, t, p});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.overlap > b.overlap; });
  std::vector<bool> taken(tracks_.size());
  for (const auto& pair : pairs) {
    auto& plate = prediction.plates[pair.plate];
    if (taken[pair.track] || plate.track >= 0) continue;
    taken[pair.track] = true;
    plate.track = static_cast<int64_t>(pair.track);
  }
  for (auto& plate : prediction.plates) {
    if (plate.track < 0) {
      plate.track = static_cast<int64_t>(tracks_.size());
      tracks_.push_back({.track = {.id = plate.track, .text = {}}, .box = {}, .votes = {}});
    }
    add(tracks_[static_cast<size_t>(plate.track)], plate, picture);
  }
}

std::vector<Track> Tracker::tracks() const {
  std::vector<Track> all;
  for (const auto& open : tracks_) {
    auto track = open.track;
    const auto best =
        std::max_element(open.votes.begin(), open.votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    const double sum = std::accumulate(open.votes.begin(), open.votes.end(), 0.0,
                                       [](double s, const auto& vote) { return s + vote.second; });
    if (best != open.votes.end()) {
      track.text = best->first;
      track.share = sum > 0 ? best->second / sum : 0;
    }
    all.push_back(std::move(track));
  }
  return all;
}

}  // namespace plateforge
