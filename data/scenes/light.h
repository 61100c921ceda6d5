#pragma once

#include <array>
#include <opencv2/core.hpp>
#include <vector>

#include "data/plate.h"
#include "data/rng.h"
#include "data/scenes/lettering.h"

namespace plateforge::scenes {

// The light and the weather of a scene.
struct Light {
  bool night = false, grey = false;  // grey: a camera without colour, as for infrared light
  double gain = 1, gamma = 1, haze = 0;
  std::array<double, 3> tint{1, 1, 1};  // blue, green, red
  double fog = 0;                       // 0..1
  int64_t rain = 0, snow = 0;           // drops, flakes
  double blur = 0;                      // sigma of the lens, in 640ths of the longer side
  double grain = 1;                     // what is left of the sensor's noise and the file's blocks
  int64_t lamps = 0;                    // headlights and street lamps that shine into the camera
};
Light draw_light(Rng& rng);

// Exposure, colour and haze of what is not retro-reflective, in place. 8-bit BGR here and below.
void apply_light(cv::Mat& image, const Light& light);

// Shadow edges, fog, rain, snow, lamps. `keep` are quads no lamp is put on.
void apply_weather(cv::Mat& image, const Light& light, const std::vector<Quad>& keep, Rng& rng);

// What lens, sensor and file do: blur, movement, vignette, noise, lost resolution, grey, a
// recorder's line of text where it hides no quad of `keep`, JPEG.
void apply_camera(cv::Mat& image, const Light& light, const std::vector<Quad>& keep,
                  const Lettering& lettering, Rng& rng);

}  // namespace plateforge::scenes
