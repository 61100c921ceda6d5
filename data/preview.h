#pragma once

#include <opencv2/core.hpp>

#include "configs/run_config.h"
#include "data/open.h"

namespace plateforge {

struct PreviewOptions {
  int64_t rows = 12;      // plates
  int64_t variants = 5;   // augmented views of each
  int scale = 2;          // enlargement of the network's input
  cv::Size size{94, 24};  // network input
  uint64_t seed = 1;
};

// A sheet with one plate per row: its label, the plate as it is, then augmented views. Plates are
// drawn from the mix as training draws them. Labels use the region's fonts; without any the label
// column stays empty and a warning says so.
cv::Mat preview_sheet(const Mix& mix, const Region& region, const AugmentConfig& augment,
                      const PreviewOptions& options);

}  // namespace plateforge
