#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "data/frames/letterbox.h"

namespace plateforge {

// A plate among a detector's targets, pixels of the network's input: box (left, top, right,
// bottom), corners (left-top, right-top, right-bottom, left-bottom, x and y each), then what is
// known of it.
enum PlateKnowledge { kIgnoredPlate = 0, kBoxOnly = 1, kBoxAndCorners = 2 };
inline constexpr int64_t kPlateValues = 13;

// N samples ready for a step. Images stay uint8 until they are on the device.
struct Batch {
  at::Tensor images;  // [N, 3, H, W] uint8, BGR, channels_last
  // Readers: [N, L] int64 alphabet indices, padded with -1; L = longest label. Detectors: [N, M,
  // kPlateValues] float, padded with zeros; M = most plates of an image, at least 1.
  at::Tensor targets;
  at::Tensor target_lengths;         // [N] int64; of a detector: plates, ignored ones among them
  at::Tensor patch_order;            // [N, T] int64: see make_masked_batches(); undefined elsewhere
  std::vector<std::string> texts;    // N labels; empty for detectors
  std::vector<std::string> sources;  // N file names or generator keys
  // Evaluation of detectors: how each picture lies in its input; empty otherwise.
  std::vector<Letterbox> letterboxes;

  int64_t size() const { return images.defined() ? images.size(0) : 0; }
};

}  // namespace plateforge
