#pragma once

#include "data/plate.h"

namespace plateforge {

// The quad whose perspective picture extends `quad`'s by `margin_x` of its width and `margin_y` of
// its height on each side: what lies at the unit square in the one lies at
// [margin, 1 - margin] / (1 + 2 margin) in the other.
Quad widen(const Quad& quad, double margin_x, double margin_y);

// Whole pixels that hold `quad` and `margin` of its extents on each side, inside a picture of
// `size`.
cv::Rect surroundings(const Quad& quad, double margin, const cv::Size& size);

// Mean length of the horizontal and of the vertical sides.
cv::Size2f side_lengths(const Quad& quad);

// Width / height as the plate was seen.
double aspect_of(const Plate& plate);

}  // namespace plateforge
