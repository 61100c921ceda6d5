#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "data/augment/op.h"

namespace plateforge::augment {

void jpeg(cv::Mat& image, Rng& rng, double strength, double /*unit*/) {
  const double quality = 90 - strength * rng.uniform(0, 60);
  thread_local std::vector<uint8_t> bytes;
  cv::imencode(".jpg", image, bytes,
               {cv::IMWRITE_JPEG_QUALITY, static_cast<int>(std::clamp(quality, 5.0, 95.0))});
  cv::imdecode(bytes, cv::IMREAD_COLOR).copyTo(image);
}

}  // namespace plateforge::augment
