#include "data/sample_order.h"

#include <ATen/Functions.h>

namespace plateforge {

cv::Mat picture_in(Batch& batch, int64_t i) {
  const int64_t height = batch.images.size(2), width = batch.images.size(3);
  return {static_cast<int>(height), static_cast<int>(width), CV_8UC3,
          batch.images.data_ptr<uint8_t>() + i * height * width * 3};
}

Batch empty_batch(int64_t count, const cv::Size& size) {
  Batch batch;
  batch.images = at::empty({count, 3, size.height, size.width}, at::kByte, c10::nullopt,
                           c10::nullopt, c10::nullopt, at::MemoryFormat::ChannelsLast);
  return batch;
}

}  // namespace plateforge
