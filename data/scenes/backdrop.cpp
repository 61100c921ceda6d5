#include "data/scenes/backdrop.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/scenes/brush.h"
#include "data/scenes/noise.h"

namespace plateforge::scenes {
namespace {

using cv::Scalar;

Scalar any_colour(Rng& rng) {
  const double value = rng.uniform(15, 250), strong = rng.chance(0.3) ? 1.0 : 0.25;
  return {value * (1 - strong * rng.uniform()), value * (1 - strong * rng.uniform()),
          value * (1 - strong * rng.uniform())};
}

// Colours of stone, soil, plaster and paint, little saturated.
Scalar dull_colour(double low, double high, Rng& rng) {
  const double tone = rng.uniform(low, high);
  return {tone * rng.uniform(0.75, 1.05), tone * rng.uniform(0.88, 1.04), tone};
}

cv::Mat mottled(const cv::Size& size, const Scalar& colour, double depth, double coarsest,
                Rng& rng) {
  const cv::Mat tone = clouds(size, coarsest, rng.uniform(0.45, 0.9), rng);
  return colourise(tone, colour * (1 - depth), colour * (1 + depth));
}

cv::Mat foliage(const cv::Size& size, Rng& rng) {
  const cv::Mat tone = clouds(size, rng.uniform(12, 90), rng.uniform(0.7, 1.0), rng);
  const double green = rng.uniform(90, 230);
  return colourise(tone, {5, green * 0.1, 5},
                   {green * rng.uniform(0.2, 0.7), green, green * rng.uniform(0.4, 1.0)});
}

// Rectangles in rows: bricks, tiles, slabs or panels, with joints between.
cv::Mat masonry(const cv::Size& size, Rng& rng) {
  const Scalar joint = dull_colour(60, 190, rng), colour = dull_colour(50, 220, rng);
  cv::Mat image(size, CV_8UC3, joint);
  const double height = rng.uniform(10, 120), width = height * rng.uniform(0.8, 4);
  const double gap = std::max(rng.uniform(0.03, 0.12) * height, 1.0);
  const double shift = rng.chance(0.6) ? 0.5 : 0, uneven = rng.uniform(0.02, 0.3);
  for (int row = 0; row * height < size.height; ++row) {
    for (double x = -width * shift * (row % 2); x < size.width; x += width) {
      const cv::Rect brick(cvRound(x), cvRound(row * height), cvRound(width - gap),
                           cvRound(height - gap));
      cv::rectangle(image, brick, colour * (1 + uneven * rng.uniform(-1, 1)), cv::FILLED);
    }
  }
  shade(image, clouds(size, rng.uniform(8, 200), 0.8, rng), rng.uniform(0.1, 0.5));
  return image;
}

// Boards, shutters, grilles, corrugated sheet.
cv::Mat stripes(const cv::Size& size, Rng& rng) {
  const bool upright = rng.chance(0.5);
  const double step = rng.uniform(5, 60), sharp = rng.uniform(1, 6);
  const int length = upright ? size.width : size.height;
  cv::Mat profile(upright ? 1 : length, upright ? length : 1, CV_8U);
  for (int i = 0; i < length; ++i) {
    const double wave = std::tanh(sharp * std::sin(6.283 * i / step));
    profile.data[i] = static_cast<uint8_t>(128 + 110 * wave);
  }
  cv::Mat tone;
  cv::repeat(profile, upright ? size.height : 1, upright ? 1 : size.width, tone);
  const Scalar colour = any_colour(rng);
  cv::Mat image = colourise(tone, colour * rng.uniform(0.2, 0.8), colour);
  shade(image, clouds(size, rng.uniform(20, 200), 0.7, rng), rng.uniform(0, 0.4));
  return image;
}

// A front of a house: windows, some of them lit, in storeys.
cv::Mat facade(const cv::Size& size, Rng& rng) {
  cv::Mat image =
      mottled(size, dull_colour(50, 230, rng), rng.uniform(0.05, 0.25), rng.uniform(8, 100), rng);
  const double w = rng.uniform(20, 130), h = w * rng.uniform(0.6, 1.8);
  const double dx = w * rng.uniform(1.2, 2), dy = h * rng.uniform(1.2, 1.9);
  const Scalar frame = dull_colour(20, 250, rng), pane = dull_colour(15, 120, rng);
  const double lit = rng.chance(0.3) ? rng.uniform(0, 0.6) : 0;
  for (double y = dy * rng.uniform(); y < size.height; y += dy) {
    for (double x = -dx * rng.uniform(); x < size.width; x += dx) {
      const cv::Rect window(cvRound(x), cvRound(y), cvRound(w), cvRound(h));
      const int edge = std::max(cvRound(w * 0.06), 1);
      cv::rectangle(image, window, frame, cv::FILLED);
      const cv::Rect glass(window.x + edge, window.y + edge, window.width - 2 * edge,
                           window.height - 2 * edge);
      cv::rectangle(image, glass,
                    rng.chance(lit) ? Scalar(120, 210, 250) : pane * rng.uniform(0.6, 1.8),
                    cv::FILLED);
      if (w > 40) {
        cv::line(image, {glass.x + glass.width / 2, glass.y},
                 {glass.x + glass.width / 2, glass.br().y}, frame, edge);
      }
    }
  }
  return image;
}

cv::Mat plain(const cv::Size& size, Rng& rng) {
  const Scalar colour = any_colour(rng);
  return mottled(size, colour, rng.uniform(0.02, 0.4), 0.8 * std::max(size.width, size.height),
                 rng);
}

cv::Mat surface(const cv::Size& size, Rng& rng) {
  switch (rng.below(7)) {
    case 0:
      return foliage(size, rng);
    case 1:
      return masonry(size, rng);
    case 2:
      return stripes(size, rng);
    case 3:
      return facade(size, rng);
    case 4:
      return plain(size, rng);
    default:
      return mottled(size, dull_colour(30, 220, rng), rng.uniform(0.1, 0.8), rng.uniform(3, 120),
                     rng);
  }
}

// Fills `part` of the picture, which may reach beyond it.
void fill(cv::Mat& image, const cv::Rect& part, Rng& rng, cv::Mat (*make)(const cv::Size&, Rng&)) {
  const cv::Rect inside = part & cv::Rect({0, 0}, image.size());
  if (inside.width >= 2 && inside.height >= 2) make(inside.size(), rng).copyTo(image(inside));
}

cv::Mat ground(const cv::Size& size, Rng& rng) {
  return mottled(size, dull_colour(35, 170, rng), rng.uniform(0.1, 0.5), rng.uniform(2, 40), rng);
}

// Lines of lanes, zebra crossings, parking bays: they meet at the horizon.
void markings(cv::Mat& image, int horizon, Rng& rng) {
  Brush brush(image, nullptr, {0, 0, double(image.cols), double(image.rows)});
  const Scalar white =
      rng.chance(0.8) ? Scalar::all(rng.uniform(150, 245)) : Scalar(30, rng.uniform(150, 200), 230);
  const double vanish = image.cols * rng.uniform(-0.2, 1.2), depth = image.rows - horizon;
  const int64_t lines = rng.below(7);
  const bool dashed = rng.chance(0.4);
  for (int64_t i = 0; i < lines; ++i) {
    const double x = image.cols * rng.uniform(-1, 2), w = image.cols * rng.uniform(0.01, 0.05);
    const auto at = [&](double t, double side) {  // t = 0 at the horizon, 1 at the lower edge
      return cv::Point2d(vanish + t * (x + side - vanish), horizon + t * depth);
    };
    for (double t = 0.05; t < 1; t *= 1.45) {
      const double end = std::min(dashed ? t * 1.2 : t * 1.46, 1.0);
      brush.polygon({at(t, 0), at(t, w), at(end, w), at(end, 0)}, white);
    }
  }
  if (rng.chance(0.2)) {  // across
    const double y = horizon + depth * rng.uniform(0.2, 0.9), h = depth * rng.uniform(0.03, 0.2);
    const double step = image.cols * rng.uniform(0.04, 0.12);
    for (double x = 0; x < image.cols; x += 2 * step) brush.rectangle({x, y, step, h}, white);
  }
}

cv::Mat sky(const cv::Size& size, Rng& rng) {
  const Scalar high(rng.uniform(120, 250), rng.uniform(100, 220), rng.uniform(70, 210));
  return colourise(clouds(size, size.width * 0.4 + 2, 0.55, rng), high, Scalar::all(245));
}

cv::Mat street(const cv::Size& size, Rng& rng) {
  cv::Mat image(size, CV_8UC3);
  const int horizon = cvRound(size.height * rng.uniform(0.12, 0.6));
  fill(image, {0, 0, size.width, horizon}, rng, sky);
  for (int x = -cvRound(rng.uniform(0, 200)); x < size.width;) {
    const int w = cvRound(size.width * rng.uniform(0.08, 0.5));
    const int h = cvRound(horizon * rng.uniform(0.15, 1.1));
    const bool trees = rng.chance(0.3);
    fill(image, {x, horizon - h, w, h}, rng,
         trees ? foliage : (rng.chance(0.7) ? facade : surface));
    x += rng.chance(0.7) ? w : cvRound(w * rng.uniform(1, 1.6));
  }
  fill(image, {0, horizon, size.width, size.height - horizon}, rng, ground);
  if (rng.chance(0.5)) {  // a pavement along the houses
    const int h = cvRound((size.height - horizon) * rng.uniform(0.05, 0.3));
    fill(image, {0, horizon, size.width, h}, rng, rng.chance(0.5) ? masonry : ground);
  }
  markings(image, horizon, rng);
  for (int64_t i = rng.below(5); i > 0; --i) {  // poles
    const int x = static_cast<int>(rng.below(size.width)), w = 2 + static_cast<int>(rng.below(16));
    const cv::Rect pole(x, 0, w, cvRound(size.height * rng.uniform(0.4, 0.8)));
    cv::rectangle(image, pole, dull_colour(20, 160, rng), cv::FILLED);
  }
  return image;
}

cv::Mat wall(const cv::Size& size, Rng& rng) {
  cv::Mat image(size, CV_8UC3);
  const int floor = cvRound(size.height * rng.uniform(0.55, 1.1));
  fill(image, {0, 0, size.width, floor}, rng, surface);
  fill(image, {0, floor, size.width, size.height - floor}, rng, ground);
  for (int64_t i = rng.below(4); i > 0; --i) {  // doors, hoardings, shutters
    const int w = cvRound(size.width * rng.uniform(0.1, 0.5));
    const int h = cvRound(size.height * rng.uniform(0.1, 0.6));
    fill(image, {cvRound(size.width * rng.uniform(-0.1, 0.9)), floor - h, w, h}, rng, surface);
  }
  return image;
}

// Polygons, rectangles, discs and lines of any colour on some surface.
cv::Mat shapes(const cv::Size& size, Rng& rng) {
  cv::Mat image = surface(size, rng);
  Brush brush(image, nullptr, {0, 0, 1, double(size.height) / size.width});
  for (int64_t i = 4 + rng.below(22); i > 0; --i) {
    const double x = rng.uniform(-0.1, 1), y = rng.uniform(-0.1, 1.1);
    const double w = std::exp(rng.uniform(-4.5, -0.7)), h = w * rng.uniform(0.2, 2);
    const Scalar colour = any_colour(rng);
    switch (rng.below(5)) {
      case 0:
        brush.ellipse({x, y, w, h}, colour);
        break;
      case 1:
        brush.line({x, y}, {rng.uniform(-0.1, 1.1), rng.uniform(-0.1, 1.1)}, 0.03 * w, colour);
        break;
      case 2:
        brush.polygon(
            {{x, y}, {x + w, y + rng.uniform(-0.5, 0.5) * h}, {x + w * rng.uniform(), y + h}},
            colour);
        break;
      case 3:
        brush.rounded({x, y, w, h}, rng.uniform(0, 0.5) * h, colour);
        break;
      default:
        brush.polygon({{x, y},
                       {x + w, y + rng.uniform(-0.4, 0.4) * h},
                       {x + w, y + h},
                       {x + rng.uniform(-0.3, 0.3) * w, y + h}},
                      colour);
    }
  }
  return image;
}

}  // namespace

cv::Mat paint_backdrop(const cv::Size& size, Rng& rng) {
  const double kind = rng.uniform();
  cv::Mat image = kind < 0.45   ? street(size, rng)
                  : kind < 0.7  ? wall(size, rng)
                  : kind < 0.85 ? shapes(size, rng)
                                : surface(size, rng);
  // Most of what is behind a vehicle is out of focus.
  if (rng.chance(0.5)) cv::GaussianBlur(image, image, {}, rng.uniform(0.6, 2.5));
  return image;
}

}  // namespace plateforge::scenes
