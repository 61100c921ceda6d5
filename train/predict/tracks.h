#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "train/predict/pipeline.h"

namespace plateforge {

// One plate through a video, and the text that its frames agree on.
struct Track {
  int64_t id = 0;
  int64_t frames = 0;  // in which it was seen
  int64_t first_frame = 0, last_frame = 0;
  double first_seconds = 0, last_seconds = 0;
  // The text with the largest sum of confidences over all frames and readings, and its share of the
  // sum over all texts, 0..1.
  std::string text;
  double share = 0;
};

// Follows plates from frame to frame of one video: a plate goes on where it overlaps most with its
// last box, moved on as it moved before; one that was not seen for a second has ended.
class Tracker {
 public:
  // Gives the plates of the next frame their track numbers, counted from 0.
  void follow(Prediction& prediction);
  // All tracks so far, by number.
  std::vector<Track> tracks() const;

 private:
  struct Open {
    Track track;
    cv::Rect2f box;
    cv::Point2f step{};  // of its middle, pixels per frame
    std::map<std::string, double> votes;
  };
  double overlap(const Open& open, const FoundPlate& plate, int64_t frame) const;
  void add(Open& open, const FoundPlate& plate, const Picture& picture);

  std::vector<Open> tracks_;
};

}  // namespace plateforge
