#include "data/scenes/vehicle.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/scenes/brush.h"
#include "data/scenes/noise.h"

namespace plateforge::scenes {
namespace {

using cv::Rect2d;
using cv::Scalar;

Scalar grey(double low, double high, Rng& rng) {
  const double tone = rng.uniform(low, high);
  return {tone * rng.uniform(0.95, 1.1), tone, tone * rng.uniform(0.92, 1.05)};
}

// White, silver, grey and black as often as all colours together.
Scalar paint_colour(Rng& rng) {
  if (rng.chance(0.55)) return rng.chance(0.4) ? grey(10, 60, rng) : grey(110, 240, rng);
  const double value = rng.uniform(50, 230), pale = rng.uniform(0.05, 0.6);
  Scalar colour = Scalar::all(value * pale);
  const auto strong = static_cast<int>(rng.below(3));
  colour[strong] = value;
  colour[static_cast<int>(rng.below(3))] += value * rng.uniform(0, 0.6);
  return colour;
}

// A vehicle on the brush: what all its parts need. Heights count from the road upwards.
struct Body {
  Brush brush;
  const VehicleDesign& design;
  const Lettering& lettering;
  Rng& rng;
  Scalar colour, trim;

  double middle() const { return design.plate_offset; }
  double half() const { return design.width / 2; }
  double y(double above_road) const { return design.plate_height - above_road; }
  Rect2d box(double x, double top, double width, double height) {
    return {x, y(top), width, height};
  }
  // The same shape on both sides, `x` from the middle.
  template <class Draw>
  void both(double x, double top, double width, double height, const Draw& draw) {
    draw(box(middle() - x - width, top, width, height));
    draw(box(middle() + x, top, width, height));
  }
};

void write_on(Body& body, const Rect2d& box, const Scalar& colour) {
  const Rect2d at = body.brush.pixels(box);
  cv::Mat& image = body.brush.image();
  if (at.height < 4 || (at & Rect2d(0, 0, image.cols, image.rows)).empty()) return;
  cv::Mat ink = cv::Mat::zeros(image.size(), CV_8U);
  body.lettering.write(body.lettering.phrase(body.rng), at, ink, body.rng);
  stain(colour, ink, 1, image);
}

void glass(Body& body, double bottom, double top, double wide, double narrow) {
  const Scalar tint = grey(15, 110, body.rng);
  body.brush.polygon(trapezoid(body.middle(), body.y(top), narrow, body.y(bottom), wide), tint);
  // Reflections of sky and trees.
  for (int64_t i = body.rng.below(4); i > 0; --i) {
    const double x = body.middle() + body.rng.uniform(-0.8, 0.6) * narrow;
    const double w = body.rng.uniform(0.05, 0.4) * narrow,
                 lean = body.rng.uniform(-0.3, 0.3) * wide;
    body.brush.polygon({{x, body.y(top - 20)},
                        {x + w, body.y(top - 20)},
                        {x + w + lean, body.y(bottom + 20)},
                        {x + lean, body.y(bottom + 20)}},
                       tint * body.rng.uniform(1.1, 2.2));
  }
  if (body.rng.chance(0.4)) {  // papers behind the glass
    body.brush.rectangle(body.box(body.middle() + body.rng.uniform(-0.8, 0.7) * narrow,
                                  bottom + 150, body.rng.uniform(60, 160), 90),
                         grey(150, 250, body.rng));
  }
}

void lights(Body& body, double height) {
  Rng& rng = body.rng;
  const double w = rng.uniform(0.1, 0.26) * body.half() * 2, h = rng.uniform(70, 330);
  const double x = body.half() - w - rng.uniform(0, 60), top = height + h / 2;
  const Scalar lens = body.design.front
                          ? grey(120, 250, rng)
                          : Scalar(rng.uniform(0, 60), rng.uniform(0, 50), rng.uniform(90, 230));
  const double radius = rng.uniform(5, 120);
  body.both(x, top, w, h, [&](const Rect2d& r) { body.brush.rounded(r, radius, lens); });
  const Scalar inner = body.design.front ? grey(180, 255, rng)
                                         : Scalar(rng.uniform(40, 220), rng.uniform(90, 220), 240);
  const double iw = w * rng.uniform(0.25, 0.6), ih = h * rng.uniform(0.25, 0.6);
  body.both(x + (w - iw) / 2, top - (h - ih) * rng.uniform(0.2, 0.8), iw, ih,
            [&](const Rect2d& r) { body.brush.ellipse(r, inner); });
}

void slats(Body& body, const Rect2d& box) {
  Rng& rng = body.rng;
  body.brush.rounded(box, rng.uniform(5, 60), grey(8, 45, rng));
  const Scalar bar = rng.chance(0.5) ? grey(120, 220, rng) : grey(30, 80, rng);
  const bool upright = rng.chance(0.35);
  const double length = upright ? box.width : box.height, step = rng.uniform(25, 70);
  for (double at = step / 2; at < length; at += step) {
    const Rect2d one = upright ? Rect2d(box.x + at, box.y + 8, step * 0.35, box.height - 16)
                               : Rect2d(box.x + 8, box.y + at, box.width - 16, step * 0.35);
    body.brush.rectangle(one, bar);
  }
}

void bumper(Body& body) {
  Rng& rng = body.rng;
  const double top = rng.uniform(380, 650), height = rng.uniform(120, 330);
  const Scalar colour = rng.chance(0.5) ? grey(15, 60, rng) : body.colour * rng.uniform(0.7, 1.05);
  const double w = body.half() * rng.uniform(0.94, 1.02);
  body.brush.rounded(body.box(body.middle() - w, top, 2 * w, height), rng.uniform(10, 90), colour);
  body.brush.line({body.middle() - w, body.y(top)}, {body.middle() + w, body.y(top)},
                  rng.uniform(4, 16), body.trim * rng.uniform(0.3, 1));
  if (rng.chance(0.5)) {  // fog lights or reflectors
    const Scalar spot = rng.chance(0.5) ? Scalar(30, 30, 190) : grey(120, 230, rng);
    body.both(body.half() * rng.uniform(0.5, 0.8), top - height * 0.4, rng.uniform(60, 200),
              rng.uniform(30, 90), [&](const Rect2d& r) { body.brush.rounded(r, 20, spot); });
  }
  if (rng.chance(0.5)) {
    const double reach = body.half() * rng.uniform(0.3, 0.8);
    slats(body, body.box(body.middle() - reach, top - height * 0.55, 2 * reach,
                         height * rng.uniform(0.3, 0.7)));
  }
}

// Where the plate is screwed on; without one, all that is there.
void plate_place(Body& body) {
  Rng& rng = body.rng;
  if (body.design.with_plate && rng.chance(0.4)) return;
  const double w = body.design.plate.width * rng.uniform(1.05, 1.6);
  const double h = body.design.plate.height * rng.uniform(1.05, 1.5);
  const Scalar colour = rng.chance(0.5) ? grey(10, 60, rng) : body.colour * rng.uniform(0.5, 1.1);
  body.brush.rounded({-w / 2, -h / 2, w, h}, rng.uniform(0, 60), colour);
  if (!body.design.with_plate && rng.chance(0.4)) {
    write_on(body, {-w * 0.4, -h * 0.2, w * 0.8, h * 0.35}, grey(120, 250, rng));
  }
}

void writing(Body& body, double height) {
  Rng& rng = body.rng;
  for (int64_t i = rng.below(3); i > 0; --i) {
    const double size = rng.uniform(25, 75), w = size * rng.uniform(3, 8);
    const double x = body.middle() + rng.uniform(-0.9, 0.9) * body.half() - w / 2;
    const double top = height + rng.uniform(-80, 120);
    // Not where the plate hangs.
    if (std::abs(body.y(top)) < body.design.plate.height && std::abs(x + w / 2) < w) continue;
    write_on(body, body.box(x, top, w, size), body.trim);
  }
  if (rng.chance(0.6)) {
    const double size = rng.uniform(60, 150), top = height + rng.uniform(60, 200);
    body.brush.ellipse(body.box(body.middle() - size / 2, top, size, size), body.trim);
    body.brush.ellipse(
        body.box(body.middle() - size * 0.35, top - size * 0.15, size * 0.7, size * 0.7),
        body.colour * 0.5);
  }
}

void tyres(Body& body) {
  const double w = body.rng.uniform(160, 290);
  const Scalar rubber = grey(10, 40, body.rng);
  body.both(body.half() - w - body.rng.uniform(0, 120), 420, w, 420,
            [&](const Rect2d& r) { body.brush.rounded(r, 60, rubber); });
}

void car(Body& body) {
  Rng& rng = body.rng;
  const double height = body.design.height, belt = height * rng.uniform(0.56, 0.68);
  const double half = body.half(), roof = half * rng.uniform(0.6, 0.8);
  tyres(body);
  body.brush.polygon(trapezoid(body.middle(), body.y(height), roof, body.y(belt), half * 0.93),
                     body.colour * rng.uniform(0.8, 1.1));
  body.brush.rounded(body.box(body.middle() - half, belt, 2 * half, belt - rng.uniform(150, 260)),
                     rng.uniform(60, 200), body.colour);
  glass(body, belt + rng.uniform(0, 40), height - rng.uniform(50, 120), half * 0.84, roof * 0.88);
  body.brush.line({body.middle() - half * 0.8, body.y(belt * 0.92)},
                  {body.middle() + half * 0.8, body.y(belt * 0.92)}, 8, body.colour * 0.5);
  lights(body, belt * rng.uniform(0.68, 0.85));
  if (body.design.front) {
    const double reach = half * rng.uniform(0.3, 0.65), h = rng.uniform(70, 320);
    slats(body, body.box(body.middle() - reach, belt * rng.uniform(0.7, 0.9), 2 * reach, h));
    if (rng.chance(0.5)) {
      body.both(half * 0.97, belt + 150, 210, 130,
                [&](const Rect2d& r) { body.brush.rounded(r, 50, body.colour * 0.8); });
    }
  } else if (rng.chance(0.5)) {  // the lid
    body.brush.line({body.middle() - half * 0.7, body.y(belt)},
                    {body.middle() - half * 0.6, body.y(450)}, 8, body.colour * 0.4);
    body.brush.line({body.middle() + half * 0.7, body.y(belt)},
                    {body.middle() + half * 0.6, body.y(450)}, 8, body.colour * 0.4);
  }
  bumper(body);
  writing(body, belt * 0.82);
}

void box_shaped(Body& body, bool lorry) {
  Rng& rng = body.rng;
  const double height = body.design.height, half = body.half(), floor = rng.uniform(350, 700);
  tyres(body);
  body.brush.rounded(body.box(body.middle() - half, height, 2 * half, height - floor),
                     rng.uniform(5, 120), body.colour);
  if (!lorry || body.design.front || rng.chance(0.3)) {
    glass(body, height * rng.uniform(0.5, 0.62), height * 0.92, half * 0.9, half * 0.82);
  }
  if (!body.design.front) {  // two doors with hinges and rods
    body.brush.line({body.middle(), body.y(height)}, {body.middle(), body.y(floor)}, 14,
                    body.colour * 0.45);
    for (double x = 0.25; lorry && x < 0.9; x += 0.5) {
      for (const double side : {-x, x}) {
        body.brush.line({body.middle() + side * half, body.y(height * 0.97)},
                        {body.middle() + side * half, body.y(floor)}, 30, grey(80, 200, rng));
      }
    }
  }
  for (int64_t i = rng.below(4); i > 0; --i) {  // large writing
    const double size = rng.uniform(90, 380);
    write_on(body,
             body.box(body.middle() - half * 0.85, rng.uniform(floor + 300, height - 100),
                      half * 1.7, size),
             paint_colour(rng));
  }
  lights(body, floor + rng.uniform(0, 250));
  body.brush.rectangle(body.box(body.middle() - half, floor + 60, 2 * half, rng.uniform(120, 260)),
                       grey(15, 110, rng));
  if (rng.chance(0.5)) {  // red and white warning stripes
    const double step = rng.uniform(80, 200), h = rng.uniform(40, 120), top = floor + 80;
    bool red = true;
    for (double x = -half; x < half - step; x += step, red = !red) {
      body.brush.rectangle(body.box(body.middle() + x, top, step, h),
                           red ? Scalar(30, 30, 200) : Scalar(230, 235, 235));
    }
  }
  if (body.design.front)
    slats(body, body.box(body.middle() - half * 0.5, height * 0.42, half, 220));
  writing(body, floor + 250);
}

void motorcycle(Body& body) {
  Rng& rng = body.rng;
  const double height = body.design.height, tyre = rng.uniform(110, 180);
  body.brush.rounded(body.box(body.middle() - tyre / 2, 620, tyre, 620), 70, grey(10, 40, rng));
  body.brush.polygon(trapezoid(body.middle(), body.y(height * 0.8), body.half() * 0.35, body.y(350),
                               body.half() * 0.3),
                     grey(15, 60, rng));
  body.brush.rounded(
      body.box(body.middle() - body.half() * 0.4, height, body.half() * 0.8, height * 0.4), 120,
      body.colour);
  const double size = rng.uniform(90, 200), top = body.design.plate_height + 130 + size;
  body.brush.ellipse(body.box(body.middle() - size / 2, top, size, size * 0.7),
                     body.design.front ? grey(200, 255, rng) : Scalar(30, 30, 210));
  body.both(body.half() * rng.uniform(0.5, 0.8), top - 20, 80, 70,
            [&](const Rect2d& r) { body.brush.ellipse(r, Scalar(20, 130, 240)); });
}

}  // namespace

VehicleDesign design_vehicle(const cv::Size2d& plate, Rng& rng) {
  VehicleDesign design;
  design.plate = plate;
  design.front = rng.chance(0.45);
  const double kind = rng.uniform();
  const bool narrow = plate.width < 320;
  if (kind < (narrow ? 0.3 : 0.04)) {
    design.kind = VehicleKind::motorcycle, design.front = rng.chance(0.15);
    design.width = rng.uniform(450, 800), design.height = rng.uniform(950, 1350);
    design.plate_height = rng.uniform(500, 750);
  } else if (kind < 0.7) {
    design.width = rng.uniform(1550, 1980), design.height = rng.uniform(1350, 1800);
    design.plate_height = design.front ? rng.uniform(330, 560) : rng.uniform(400, 950);
  } else if (kind < 0.84) {
    design.kind = VehicleKind::van;
    design.width = rng.uniform(1700, 2100), design.height = rng.uniform(1800, 2600);
    design.plate_height = rng.uniform(450, 900);
  } else {
    design.kind = VehicleKind::lorry;
    design.width = rng.uniform(2200, 2550), design.height = rng.uniform(2600, 3800);
    design.plate_height = rng.uniform(450, 1000);
  }
  if (rng.chance(0.12)) design.plate_offset = rng.uniform(-0.25, 0.25) * design.width;
  return design;
}

Billboard paint_vehicle(const VehicleDesign& design, const Rect2d& window, double scale,
                        const Lettering& lettering, Rng& rng) {
  constexpr double kMostPixels = 900;
  const double fine = std::min(scale, kMostPixels / std::max(window.width, window.height));
  const cv::Size size(std::max(cvRound(window.width * fine), 4),
                      std::max(cvRound(window.height * fine), 4));
  Billboard board{cv::Mat(size, CV_8UC3), cv::Mat::zeros(size, CV_8U), window};
  const Scalar colour = paint_colour(rng);
  board.image.setTo(colour);
  const Scalar trim = rng.chance(0.6) ? grey(140, 230, rng) : grey(10, 60, rng);
  Body body{Brush(board.image, &board.alpha, window), design, lettering, rng, colour, trim};
  if (design.kind == VehicleKind::motorcycle) motorcycle(body);
  if (design.kind == VehicleKind::car) car(body);
  if (design.kind == VehicleKind::van) box_shaped(body, false);
  if (design.kind == VehicleKind::lorry) box_shaped(body, true);
  plate_place(body);
  // Round sheet metal mirrors its surroundings.
  shade(board.image, clouds(size, 0.5 * size.width + 2, rng.uniform(0.2, 0.6), rng),
        rng.uniform(0.1, 0.7));
  return board;
}

}  // namespace plateforge::scenes
