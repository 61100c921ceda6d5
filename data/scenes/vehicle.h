#pragma once

#include <cstdint>
#include <opencv2/core.hpp>

#include "data/rng.h"
#include "data/scenes/billboard.h"
#include "data/scenes/lettering.h"

namespace plateforge::scenes {

enum class VehicleKind { car, van, lorry, motorcycle };

// Front or rear of a vehicle, seen face on; the origin of its plane is the plate's centre.
// Millimetres, y down.
struct VehicleDesign {
  VehicleKind kind = VehicleKind::car;
  bool front = false;
  double width = 1800, height = 1500;
  double plate_height = 600;  // of the plate's centre above the road
  double plate_offset = 0;    // of the vehicle's middle from the plate's centre, to the right
  cv::Size2d plate;
  bool with_plate = true;  // else its place is empty

  cv::Rect2d place() const {
    return {plate_offset - width / 2, plate_height - height, width, height};
  }
};

VehicleDesign design_vehicle(const cv::Size2d& plate, Rng& rng);

// The part `window` of the vehicle's plane at about `scale` pixels per millimetre, as a cut-out.
// They need not look like any model: lights, glass, grilles, bumpers, gaps, badges and writing of
// many shapes are what a detector must not take for a plate.
Billboard paint_vehicle(const VehicleDesign& design, const cv::Rect2d& window, double scale,
                        const Lettering& lettering, Rng& rng);

}  // namespace plateforge::scenes
