#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "configs/region.h"
#include "data/plate.h"
#include "data/plate_layout.h"
#include "data/rng.h"
#include "data/synth/painter.h"

namespace plateforge::scenes {

// A plate that has not been painted yet: what is on it and how large it is.
struct PlateDesign {
  size_t region = 0;                     // whose painter paints it
  std::shared_ptr<const Layout> layout;  // its own, text points into it
  PlacedText text;
  int64_t photograph = -1;  // index of a real plate instead of a painted one
  cv::Size2d size;          // millimetres
  std::string label;
  int64_t most_pixels = 1 << 20;  // wider than this it would look coarse
};

// Draws plates of some regions, and real ones where there are. Thread-safe.
class Plates {
 public:
  // `invent`: a part of the plates get colours, proportions and bands of no known region.
  // `real` may be null; its pictures are read and rectified here (at most 1500, spread evenly).
  // Throws Error when a region's fonts are missing, when its layouts have no weight, and when a
  // real picture cannot be read.
  Plates(std::vector<Region> regions, bool invent, const PlateSourcePtr& real);

  PlateDesign design(Rng& rng) const;
  // The plate's rectangle face on, 8-bit BGR, about `pixels` wide.
  cv::Mat paint(const PlateDesign& design, double pixels, Rng& rng) const;

 private:
  struct Photograph {
    cv::Mat image;
    std::string label;
    cv::Size2d size;
  };
  PlateDesign painted(Rng& rng) const;

  std::vector<Region> regions_;
  std::vector<PlatePainter> painters_;
  std::vector<Photograph> photographs_;
  bool invent_;
};

}  // namespace plateforge::scenes
