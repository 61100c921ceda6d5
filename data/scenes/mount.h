#pragma once

#include <opencv2/core.hpp>

#include "data/scenes/lettering.h"
#include "data/scenes/light.h"
#include "data/scenes/plan.h"
#include "data/scenes/plates.h"

namespace plateforge::scenes {

// Draws a planned plate into an 8-bit BGR picture, after what carries vehicles: its holder or
// panel, the plate in a light that suits its place (bright under headlights at night), and what
// covers a part of it. The plate's corners are exactly those of its quad().
void mount_plate(const PlannedPlate& planned, const Plates& plates, const Light& light,
                 const Lettering& lettering, cv::Mat& picture);

}  // namespace plateforge::scenes
