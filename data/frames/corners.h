#pragma once

#include "data/frame.h"

namespace plateforge {

// The upright rectangle around a quad.
cv::Rect2f extents(const Quad& quad);

// The corners of a rectangle.
Quad quad_of(const cv::Rect2f& box);

// What an annotation says of a plate as four points: its corners, else its box's.
inline Quad outline(const FramePlate& plate) {
  return plate.corners ? *plate.corners : quad_of(plate.box);
}

// The same points as left-top, right-top, right-bottom, left-bottom: clockwise on the screen,
// beginning so that the plate's middle line points as far to the right as it can. Right for plates
// turned by less than about 75 degrees, two-row plates by less than about 55. nullopt when no order
// makes them a convex quadrilateral (a point inside the other three, three on a line, no area).
// Points may be shares of a picture's sides.
std::optional<Quad> in_order(const Quad& points);

// Throws Error in half a sentence when a plate makes no sense: a coordinate that is no number, no
// area, corners that cross or are in another order than in_order()'s. With `repair` it puts such
// corners in order and returns true.
bool check_plate(FramePlate& plate, bool repair);

// Throws Error when the middle of the plate lies outside a picture of `size`.
void check_inside(const FramePlate& plate, const cv::Size2f& size);

}  // namespace plateforge
