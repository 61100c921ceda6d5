#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/frame.h"
#include "data/rng.h"
#include "data/scenes/boards.h"
#include "data/scenes/light.h"
#include "data/scenes/photos.h"
#include "data/scenes/plates.h"
#include "data/scenes/vehicle.h"
#include "data/scenes/view.h"

namespace plateforge::scenes {

// What carries a plate.
enum class Mount { bare, holder, panel, vehicle };

// What hides a part of it.
enum class Cover { none, ball, left, top, right, bottom };

struct PlannedPlate {
  PlateDesign design;
  View view;  // of the plate's plane, origin at its centre
  Mount mount = Mount::bare;
  VehicleDesign vehicle;  // for Mount::vehicle
  cv::Size2d panel;       // for Mount::panel, millimetres
  Cover cover = Cover::none;
  double covered = 0;  // share of the plate, 0..1
  double soften = 0;   // sigma of its own blur, pixels
  uint64_t key = 0;    // of its random numbers

  cv::Rect2d place() const {
    return {-design.size.width / 2, -design.size.height / 2, design.size.width, design.size.height};
  }
  Quad quad() const { return view.quad(place()); }
};

struct PlannedVehicle {
  VehicleDesign design;
  View view;
  uint64_t key = 0;
};

struct PlannedBoard {
  BoardDesign design;
  View view;
  uint64_t key = 0;
};

// A scene before anything is painted.
struct Plan {
  cv::Size size;
  std::optional<size_t> photo;  // else the background is made up
  PhotoView photo_view;
  Light light;
  std::vector<PlannedVehicle> vehicles;  // without plates, behind everything
  std::vector<PlannedBoard> boards;
  std::vector<PlannedPlate> plates;  // from far to near
};

struct PlanOptions {
  double empty = 0.15;        // share of scenes without a plate
  double made_up = 0.4;       // share of made-up backgrounds where there are photographs
  std::vector<Photo> photos;  // may be empty
};

// Plates do not overlap each other, and no board or nearer vehicle hides one. Reads at most the
// header of a photograph.
Plan draw_plan(const PlanOptions& options, const Plates& plates, Rng& rng);

// The same scene in a picture with a `reduction`-th of the width and height: plates, vehicles,
// boards, light. A background that is made up becomes another one.
Plan reduced(Plan plan, int reduction);

// The plates as annotated. Ignored: those of which less than 60 % can be seen, that are less than 6
// pixels high, or that are blurred (sigma) by more than an eighth of their height: nobody could say
// that they are plates.
std::vector<FramePlate> annotations(const Plan& plan);

}  // namespace plateforge::scenes
