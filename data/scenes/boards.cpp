#include "data/scenes/boards.h"

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

struct Inks {
  Scalar ground, ink;
};

// A dark and a light colour, either of them the ground; often those of plates.
Inks draw_inks(Rng& rng) {
  static const std::array<Scalar, 8> kPlate = {
      Scalar(160, 60, 10), Scalar(0, 195, 245), Scalar(240, 245, 245), Scalar(95, 175, 80),
      Scalar(20, 20, 20),  Scalar(25, 25, 180), Scalar(200, 200, 195), Scalar(200, 235, 215)};
  Inks inks;
  inks.ground = rng.chance(0.6)
                    ? kPlate[static_cast<size_t>(rng.below(8))]
                    : Scalar(rng.uniform(0, 255), rng.uniform(0, 255), rng.uniform(0, 255));
  const double tone = 0.11 * inks.ground[0] + 0.59 * inks.ground[1] + 0.3 * inks.ground[2];
  inks.ink = tone > 120
                 ? Scalar(rng.uniform(0, 90), rng.uniform(0, 60), rng.uniform(0, 90))
                 : Scalar(rng.uniform(170, 255), rng.uniform(190, 255), rng.uniform(190, 255));
  return inks;
}

struct Work {
  Billboard& board;
  Brush brush;
  Rect2d place;
  const Lettering& lettering;
  Rng& rng;
  Inks inks;
};

void write(Work& work, const Rect2d& box, const std::string& text, const Scalar& colour) {
  const Rect2d at = work.brush.pixels(box);
  if (at.height < 3) return;
  cv::Mat ink = cv::Mat::zeros(work.board.image.size(), CV_8U);
  work.lettering.write(text, at, ink, work.rng);
  stain(colour, ink, 1, work.board.image);
}

void panel(Work& work) {
  work.board.image.setTo(work.inks.ground);
  if (!work.rng.chance(0.45)) return;
  const double edge = work.place.height * work.rng.uniform(0.01, 0.08);
  const double in = edge * work.rng.uniform(0, 2);
  const Rect2d& p = work.place;
  work.brush.rectangle({p.x + in, p.y + in, p.width - 2 * in, p.height - 2 * in}, work.inks.ink);
  work.brush.rectangle(
      {p.x + in + edge, p.y + in + edge, p.width - 2 * (in + edge), p.height - 2 * (in + edge)},
      work.inks.ground);
}

// Lines of different sizes: what tells a sign from a plate is that it has several, or words.
void sign(Work& work) {
  panel(work);
  const Rect2d& p = work.place;
  const int64_t lines = 1 + work.rng.below(4);
  double y = p.y + p.height * work.rng.uniform(0.08, 0.2);
  const double left = (p.y + p.height * 0.92 - y) / static_cast<double>(lines);
  for (int64_t i = 0; i < lines; ++i, y += left) {
    const double h = left * work.rng.uniform(0.35, 0.75), w = p.width * work.rng.uniform(0.4, 0.9);
    const double x = work.rng.chance(0.6) ? -w / 2 : p.x + p.width * 0.05;
    write(work, {x, y, w, h}, work.lettering.phrase(work.rng), work.inks.ink);
  }
}

// Letters cut out: the alpha is the ink.
void writing(Work& work) {
  work.board.image.setTo(work.inks.ink);
  work.board.alpha = cv::Mat::zeros(work.board.image.size(), CV_8U);
  const Rect2d at = work.brush.pixels(work.place);
  const double h = at.height * 0.7;
  work.lettering.write(work.lettering.phrase(work.rng), {2, at.height * 0.12, at.width - 4, h},
                       work.board.alpha, work.rng);
}

void bars(Work& work, const Rect2d& box) {
  for (double x = box.x; x < box.br().x;) {
    const double w = box.width * work.rng.uniform(0.006, 0.03);
    work.brush.rectangle({x, box.y, w, box.height}, work.inks.ink);
    x += w + box.width * work.rng.uniform(0.008, 0.03);
  }
}

void squares(Work& work, const Rect2d& box) {
  const int n = 9 + static_cast<int>(work.rng.below(12));
  const double side = std::min(box.width, box.height) / n;
  for (int i = 0; i < n * n; ++i) {
    if (work.rng.chance(0.5)) continue;
    work.brush.rectangle({box.x + side * (i % n), box.y + side * (i / n), side, side},
                         work.inks.ink);
  }
}

void label(Work& work) {
  panel(work);
  const Rect2d& p = work.place;
  const Rect2d box(p.x + p.width * 0.1, p.y + p.height * 0.12, p.width * 0.8, p.height * 0.55);
  if (work.rng.chance(0.5)) {
    bars(work, box);
  } else {
    squares(work, box);
  }
  write(work, {p.x + p.width * 0.1, p.y + p.height * 0.74, p.width * 0.8, p.height * 0.14},
        work.lettering.phrase(work.rng), work.inks.ink);
}

void grille(Work& work, bool upright) {
  work.board.image.setTo(Scalar::all(work.rng.uniform(5, 60)));
  const Scalar bar = Scalar::all(work.rng.uniform(90, 235));
  const Rect2d& p = work.place;
  const int64_t n = 4 + work.rng.below(14);
  const double thick = work.rng.uniform(0.2, 0.6), length = upright ? p.width : p.height;
  for (int64_t i = 0; i < n; ++i) {
    const double at = length * static_cast<double>(i) / static_cast<double>(n);
    const double w = length * thick / static_cast<double>(n);
    work.brush.rectangle(
        upright ? Rect2d(p.x + at, p.y, w, p.height) : Rect2d(p.x, p.y + at, p.width, w), bar);
  }
}

void window(Work& work) {
  panel(work);
  const Rect2d& p = work.place;
  const double edge = p.height * work.rng.uniform(0.04, 0.2);
  work.brush.rectangle({p.x + edge, p.y + edge, p.width - 2 * edge, p.height - 2 * edge},
                       Scalar::all(work.rng.uniform(10, 130)));
}

void road_sign(Work& work) {
  cv::Mat& image = work.board.image;
  image.setTo(Scalar::all(230));
  work.board.alpha = cv::Mat::zeros(image.size(), CV_8U);
  Brush cut(image, &work.board.alpha, work.place);
  const Rect2d& p = work.place;
  const Scalar rim = work.rng.chance(0.6) ? Scalar(30, 25, 200) : Scalar(170, 80, 10);
  const Rect2d inner(p.x * 0.76, p.y * 0.76, p.width * 0.76, p.height * 0.76);
  const Scalar face = work.rng.chance(0.7) ? Scalar(240, 240, 240) : rim;
  if (work.rng.chance(0.65)) {
    cut.ellipse(p, rim);
    cut.ellipse(inner, face);
  } else {
    cut.polygon(trapezoid(0, p.y, 0, p.br().y, p.width / 2), rim);
    cut.polygon(trapezoid(0, inner.y, 0, inner.br().y * 0.85, inner.width / 2), face);
  }
  const std::string number = std::to_string(5 + 5 * work.rng.below(24));
  write(work, {-p.width * 0.25, -p.height * 0.16, p.width * 0.5, p.height * 0.36},
        work.rng.chance(0.7) ? number : work.lettering.phrase(work.rng),
        face == rim ? Scalar::all(240) : Scalar::all(20));
}

void ground(Work& work) {
  work.inks.ink =
      work.rng.chance(0.75) ? Scalar::all(work.rng.uniform(170, 240)) : Scalar(40, 180, 230);
  if (work.rng.chance(0.5)) return writing(work);
  work.board.image.setTo(work.inks.ink);
  work.board.alpha = cv::Mat::zeros(work.board.image.size(), CV_8U);
  Brush cut(work.board.image, &work.board.alpha, work.place);
  const Rect2d& p = work.place;
  if (work.rng.chance(0.5)) {  // an arrow
    cut.rectangle({-p.width * 0.06, p.y + p.height * 0.3, p.width * 0.12, p.height * 0.7},
                  work.inks.ink);
    cut.polygon(trapezoid(0, p.y, 0, p.y + p.height * 0.35, p.width * 0.3), work.inks.ink);
  } else {
    for (double x = p.x; x < p.br().x; x += p.width / 5) {
      cut.rectangle({x, p.y, p.width / 9, p.height}, work.inks.ink);
    }
  }
}

}  // namespace

BoardDesign design_board(Rng& rng) {
  BoardDesign design;
  design.kind = static_cast<BoardKind>(rng.below(kBoardKinds));
  double aspect = rng.uniform(0.8, 4.5);
  if (design.kind == BoardKind::label) aspect = rng.uniform(0.8, 1.8);
  if (design.kind == BoardKind::road_sign) aspect = 1;
  if (design.kind == BoardKind::writing) aspect = rng.uniform(2.5, 8);
  design.size = {400, 400 / aspect};
  return design;
}

Billboard paint_board(const BoardDesign& design, double pixels, const Lettering& lettering,
                      Rng& rng) {
  const double width = std::clamp(pixels, 48.0, 640.0);
  const cv::Size size(cvRound(width),
                      std::max(cvRound(width * design.size.height / design.size.width), 8));
  Billboard board{cv::Mat(size, CV_8UC3), {}, design.place()};
  Work work{board,         Brush(board.image, nullptr, board.place), board.place, lettering, rng,
            draw_inks(rng)};
  switch (design.kind) {
    case BoardKind::sign:
      sign(work);
      break;
    case BoardKind::writing:
      writing(work);
      break;
    case BoardKind::label:
      label(work);
      break;
    case BoardKind::blank:
      panel(work);
      break;
    case BoardKind::grille:
      grille(work, rng.chance(0.5));
      break;
    case BoardKind::window:
      window(work);
      break;
    case BoardKind::road_sign:
      road_sign(work);
      break;
    case BoardKind::ground:
      ground(work);
      break;
  }
  if (rng.chance(0.6)) shade(board.image, clouds(size, size.width, 0.7, rng), rng.uniform(0, 0.5));
  return board;
}

}  // namespace plateforge::scenes
