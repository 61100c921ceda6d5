#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace plateforge {

// N samples ready for a step. Images stay uint8 until they are on the device.
struct Batch {
  at::Tensor images;          // [N, 3, H, W] uint8, BGR, channels_last
  at::Tensor targets;         // [N, L] int64 alphabet indices, padded with -1; L = longest label
  at::Tensor target_lengths;  // [N] int64
  std::vector<std::string> texts;    // N labels
  std::vector<std::string> sources;  // N file names or generator keys

  int64_t size() const { return images.defined() ? images.size(0) : 0; }
};

}  // namespace plateforge
