#include "data/frames/preview.h"

#include <opencv2/imgproc.hpp>

#include "data/frames/corners.h"
#include "data/frames/training_view.h"
#include "data/sample_order.h"

namespace plateforge {
namespace {

constexpr int kGap = 6;
const cv::Scalar kPaper(245, 245, 245), kBox(0, 200, 255), kCorners(60, 220, 60),
    kLeftTop(40, 40, 255), kIgnored(200, 120, 200);

void draw(const std::vector<FramePlate>& plates, cv::Mat& image) {
  for (const auto& plate : plates) {
    const cv::Rect box(plate.box.tl(), plate.box.br());
    cv::rectangle(image, box, plate.ignore ? kIgnored : kBox, 1);
    if (plate.ignore) cv::line(image, box.tl(), box.br(), kIgnored, 1);
    if (plate.ignore || !plate.corners) continue;
    const Quad& quad = *plate.corners;
    for (size_t i = 0; i < 4; ++i) {
      cv::line(image, quad[i], quad[(i + 1) % 4], kCorners, 1, cv::LINE_AA);
    }
    cv::circle(image, quad[0], 3, kLeftTop, cv::FILLED, cv::LINE_AA);
  }
}

}  // namespace

cv::Mat preview_frames(const FrameMix& mix, const Region& region, const FramesConfig& frames,
                       const AugmentConfig& augment, const FramePreviewOptions& options) {
  const SampleOrder order(mix, {.seed = options.seed}, "frames");
  const TrainingView training(frames, augment, region);
  const auto [width, height] = options.size;
  const auto rows = static_cast<int>(options.rows), variants = static_cast<int>(options.variants);
  cv::Mat sheet(rows * (height + kGap) + kGap, (variants + 1) * (width + kGap) + kGap, CV_8UC3,
                kPaper);
  cv::Mat view(options.size, CV_8UC3);
  for (int row = 0; row < rows; ++row) {
    const auto [part, key] = order(row);
    const FrameSource& source = *mix.parts[part].source;
    for (int column = 0; column <= variants; ++column) {
      std::vector<FramePlate> plates;
      if (column == 0) {
        letterbox_view(source, key, view, plates);
      } else {
        // Another seed, not another epoch: a generator would make another frame of that.
        plates = training({&source, mix_key(options.seed, part, column), key}, view);
      }
      draw(plates, view);
      view.copyTo(
          sheet({kGap + column * (width + kGap), kGap + row * (height + kGap), width, height}));
    }
  }
  return sheet;
}

}  // namespace plateforge
