#pragma once

#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/plate.h"

namespace plateforge {

// A plate in a frame, in pixels of the whole picture (see Quad for where a pixel's centre lies).
struct FramePlate {
  cv::Rect2f box;               // upright; the corners' extents where corners are known
  std::optional<Quad> corners;  // nullopt: only the box is annotated
  std::string text;             // empty when the annotation has none
  bool ignore = false;          // neither a plate to find nor background
};

// A photograph with its plates, or the part of it that was asked for.
struct Frame {
  cv::Mat image;                   // 8-bit BGR
  cv::Rect region;                 // what `image` shows of the whole picture, in its pixels; image
                                   // is smaller than region by `reduction` when that is above 1
  int reduction = 1;               // 1, 2, 4 or 8
  std::vector<FramePlate> plates;  // all of the picture, also those outside `region`
  std::string source;              // file or generator key, for messages
};

// What of a picture to decode: pixels of `region` (it may reach beyond the picture; that part is
// not read), reduced by no more than `reduction`.
struct FrameView {
  cv::Rect region;
  double reduction = 1;

  // The largest of 1, 2, 4 and 8 that is no more than `reduction`.
  int whole_reduction() const {
    int whole = 1;
    while (whole < 8 && 2 * whole <= reduction) whole *= 2;
    return whole;
  }
};
using ChooseView =
    std::function<FrameView(const cv::Size& picture, const std::vector<FramePlate>& plates)>;

// An index -> frame interface; implementations are thread-safe for concurrent read().
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  virtual int64_t size() const = 0;
  // Frame `key.index` (0 <= index < size()). Photographs ignore the epoch; generators use it.
  // `choose` decides what is decoded once size and plates are known; without it the whole picture
  // is. Throws Error naming the file when it is missing, cannot be decoded or contradicts its
  // annotation.
  virtual Frame read(const SampleKey& key, const ChooseView& choose = nullptr) const = 0;
  // Plates of a frame as annotated, without decoding the picture (those of epoch 0 of a generator).
  virtual std::vector<FramePlate> plates(int64_t index) const = 0;
  virtual std::string name(int64_t index) const = 0;
  // True for photographs, false for generators.
  virtual bool is_real() const = 0;
};
using FrameSourcePtr = std::shared_ptr<const FrameSource>;

// Sources with their weights, as Mix is for plates.
struct FrameMix {
  struct Part {
    FrameSourcePtr source;
    double weight = 1.0;
    std::string name;
  };
  std::vector<Part> parts;
  int64_t size() const;
  int64_t real_size() const;
};

}  // namespace plateforge
