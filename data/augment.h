#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "configs/region.h"
#include "configs/run_config.h"
#include "data/plate.h"
#include "data/rng.h"

namespace plateforge {

// Samples `plate.quad` into an 8-bit BGR image of `size` by a perspective map (bilinear; area-like
// reduction when the plate is much larger than the output; border pixels repeated).
void rectify(const cv::Mat& image, const Quad& quad, const cv::Size& size, cv::Mat& out);

// The augmentation list of a config, ready to run; immutable and thread-safe. With strength 0 or no
// ops it is exactly rectify(). Geometric ops change the quad (and a displacement field) so that
// pixels are resampled once; photometric ops then work on the small image.
//
// A plate of two rows becomes one line: the region pack says from its proportions how many rows it
// has, and they are put side by side, each in its share of the output's width. A network that reads
// from left to right then reads any plate.
class Augmenter {
 public:
  Augmenter(const AugmentConfig& config, const cv::Size& size, const Region& region);
  ~Augmenter();

  // Writes the network's view of the plate. Random numbers come from mix_key(seed, epoch, index,
  // op).
  void operator()(const Plate& plate, uint64_t seed, const SampleKey& key, cv::Mat& out) const;

  // Only the photometric ops, in place on any 8-bit BGR image. `unit`: pixels of it that stand for
  // one pixel of a plate 24 pixels high; 0: it is the plate. The same random numbers.
  void paint(cv::Mat& image, uint64_t seed, const SampleKey& key, double unit) const;
  // Whether the config has ops that move pixels.
  bool has_geometry() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

// Names of the known operations with one line each, for --help, README and errors.
std::vector<std::pair<std::string, std::string>> augmentation_ops();

}  // namespace plateforge
