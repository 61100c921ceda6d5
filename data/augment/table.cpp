#include "data/augment/op.h"

namespace plateforge::augment {

std::span<const Op> all_ops() {
  static constexpr Op kOps[] = {
      {.name = "corner_jitter",
       .doc = "moves each corner by up to 3 % of the width and 6 % of the height",
       .geometry = corner_jitter},
      {.name = "perspective",
       .doc = "moves each corner inward by up to 10 % of width and height",
       .geometry = perspective},
      {.name = "affine",
       .doc = "rotates by up to 4 degrees, shears 0.15, scales 6 %, shifts 2 % and 4 %",
       .geometry = affine},
      {.name = "elastic",
       .doc = "random displacement field on a 4-pixel grid, up to 1 % of width and height",
       .geometry = elastic},
      {.name = "brightness", .doc = "factor within 1 +- 0.4", .colour = brightness},
      {.name = "contrast", .doc = "factor within 1 +- 0.4 around mean grey", .colour = contrast},
      {.name = "saturation", .doc = "factor within 1 +- 0.4", .colour = saturation},
      {.name = "hue", .doc = "turns by up to a tenth of the colour circle", .colour = hue},
      {.name = "white_balance",
       .doc = "one factor per channel within 1 +- 0.15",
       .colour = white_balance},
      {.name = "grey", .doc = "takes 80 to 100 % of the colour out", .colour = grey},
      {.name = "night",
       .doc = "darkens by 30 to 75 %, pale, with the cast of lamps or of moonlight",
       .colour = night},
      {.name = "gaussian_blur", .doc = "sigma up to 1 pixel", .pixels = gaussian_blur},
      {.name = "motion_blur",
       .doc = "line of up to 4 pixels in any direction",
       .pixels = motion_blur},
      {.name = "resample", .doc = "shrinks by up to 2 and enlarges again", .pixels = resample},
      {.name = "sensor_noise",
       .doc = "Gaussian, up to 10 grey levels, with a shot-noise share",
       .pixels = sensor_noise},
      {.name = "jpeg", .doc = "compresses with quality 90 down to 30", .pixels = jpeg},
      {.name = "shadow", .doc = "darkens one side of a soft edge by up to 50 %", .pixels = shadow},
      {.name = "glare", .doc = "adds a bright soft ellipse of up to 120 levels", .pixels = glare},
      {.name = "dirt",
       .doc = "one to four soft blobs of dust or mud, up to 60 % opaque",
       .pixels = dirt},
      {.name = "cutout",
       .doc = "hides a rectangle of up to 12 % x 40 % of the plate",
       .pixels = cutout},
  };
  return kOps;
}

}  // namespace plateforge::augment
