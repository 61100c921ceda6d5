#pragma once

#include <algorithm>
#include <cstdint>

namespace plateforge {

// The view for evaluation and use: the whole picture, scaled to fit into the network's input with
// its proportions kept, at the left-top; the rest, at the right or at the bottom, is grey 128. One
// factor takes any coordinate of a box or corner, x or y, from one to the other.
struct Letterbox {
  int64_t width = 0, height = 0;  // of the picture
  double scale = 1;               // input pixels per picture pixel

  Letterbox() = default;
  Letterbox(int64_t picture_width, int64_t picture_height, int64_t input_width,
            int64_t input_height)
      : width(picture_width),
        height(picture_height),
        scale(std::min(static_cast<double>(input_width) / static_cast<double>(picture_width),
                       static_cast<double>(input_height) / static_cast<double>(picture_height))) {}

  double to_input(double picture) const { return picture * scale; }
  double to_picture(double input) const { return input / scale; }
};

}  // namespace plateforge
