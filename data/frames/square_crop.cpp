#include "data/frames/square_crop.h"

#include <algorithm>
#include <numbers>

#include "configs/error.h"
#include "data/frames/corners.h"
#include "data/geometry.h"
#include "data/rectify.h"

namespace plateforge {
namespace {

constexpr int kPlaces = 250;  // tried before another side is drawn, as in SCRFD
constexpr int kSides = 20;    // tried before the square is laid around a plate

struct Target {
  cv::Point2f centre;
  double width;
};

std::vector<Target> targets_of(const std::vector<FramePlate>& plates) {
  std::vector<Target> targets;
  for (const auto& plate : plates) {
    if (plate.ignore) continue;
    const Quad quad = outline(plate);
    targets.push_back({(quad[0] + quad[1] + quad[2] + quad[3]) / 4, side_lengths(quad).width});
  }
  return targets;
}

const Target& any_of(const std::vector<Target>& targets, Rng& rng) {
  return targets[static_cast<size_t>(rng.below(static_cast<int64_t>(targets.size())))];
}

// How the square is turned and bent, around its own middle and in units of its size.
struct Shape {
  double angle = 0;
  std::array<cv::Point2d, 4> moves{};
  bool flip = false;
};

// The unit square (0,0)-(1,1) -> the picture.
cv::Matx33d unit_to_picture(const cv::Rect2d& square, const Shape& shape) {
  const cv::Point2d middle = (square.tl() + square.br()) / 2;
  const double c = std::cos(shape.angle), s = std::sin(shape.angle);
  const std::array<cv::Point2d, 4> kCorners = {
      cv::Point2d{-0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}, {-0.5, 0.5}};
  Quad quad;
  for (size_t i = 0; i < 4; ++i) {
    const double x = (kCorners[i].x + shape.moves[i].x) * square.width;
    const double y = (kCorners[i].y + shape.moves[i].y) * square.height;
    quad[i] = middle + cv::Point2d(c * x - s * y, s * x + c * y);
  }
  const Homography h(quad);
  return {h.a, h.b, h.c, h.d, h.e, h.f, h.g, h.h, 1};
}

ToPicture to_picture(const cv::Rect2d& square, const Shape& shape, const cv::Size& input) {
  const cv::Matx33d unit(1.0 / input.width, 0, 0, 0, 1.0 / input.height, 0, 0, 0, 1);
  const cv::Matx33d mirror(-1, 0, 1, 0, 1, 0, 0, 0, 1);
  const auto placed = unit_to_picture(square, shape);
  return shape.flip ? placed * mirror * unit : placed * unit;
}

bool shows_any(const ToPicture& map, const std::vector<Target>& targets, const cv::Size& input) {
  const cv::Matx33d to_input = map.inv();
  const cv::Rect2f whole({0, 0}, cv::Size2f(input));
  return std::any_of(targets.begin(), targets.end(), [&](const Target& target) {
    return whole.contains(mapped(to_input, target.centre));
  });
}

// Draws the side of the square: a share of the picture's short side, one for which some plate has
// a size within the limits where there is such a share.
class SideDrawer {
 public:
  SideDrawer(const FramesConfig& config, const cv::Size& picture,
             const std::vector<Target>& targets, const cv::Size& input)
      : targets_(targets), input_side_(std::min(input.width, input.height)) {
    low_ = config.min_plate;
    high_ = std::max(config.max_plate * input.width, low_);
    const double short_side = std::min(picture.width, picture.height);
    for (const double scale : config.crop_scales) all_.push_back(scale * short_side);
    for (const double side : all_) {
      const bool fits = std::any_of(targets.begin(), targets.end(),
                                    [&](const Target& t) { return within_limits(t, side); });
      if (fits || targets.empty()) usable_.push_back(side);
    }
  }

  double operator()(Rng& rng) const {
    if (!usable_.empty()) return usable_[pick(usable_, rng)];
    const Target& target = any_of(targets_, rng);
    const double width = target.width * input_side_ / all_[pick(all_, rng)];
    return target.width * input_side_ / std::clamp(width, low_, high_);
  }

 private:
  static size_t pick(const std::vector<double>& sides, Rng& rng) {
    return static_cast<size_t>(rng.below(static_cast<int64_t>(sides.size())));
  }
  bool within_limits(const Target& target, double side) const {
    const double width = target.width * input_side_ / side;
    return width >= low_ && width <= high_;
  }

  const std::vector<Target>& targets_;
  double input_side_, low_ = 0, high_ = 0;
  std::vector<double> all_, usable_;
};

}  // namespace

SquareCrop::SquareCrop(const FramesConfig& config) : config_(config) {
  require(!config.crop_scales.empty(), "frames.crop_scales is empty: expected at least one scale");
}

ToPicture SquareCrop::draw(const cv::Size& picture, const std::vector<FramePlate>& plates,
                           const cv::Size& input, Rng& rng) const {
  const auto targets = targets_of(plates);
  const bool may_turn = std::all_of(plates.begin(), plates.end(), [](const FramePlate& plate) {
    return plate.ignore || plate.corners;
  });
  Shape shape;
  if (may_turn) {
    shape.angle = rng.uniform(-config_.rotate, config_.rotate) * std::numbers::pi / 180;
    for (auto& move : shape.moves) {
      move.x = rng.uniform(-config_.perspective, config_.perspective);
      move.y = rng.uniform(-config_.perspective, config_.perspective);
    }
  }
  shape.flip = config_.flip && rng.chance(0.5);

  const SideDrawer draw_side(config_, picture, targets, input);
  const double input_side = std::min(input.width, input.height);
  const auto size_of = [&](double side) {
    return cv::Size2d(side * input.width / input_side, side * input.height / input_side);
  };
  const auto start = [&](double room) {
    return rng.uniform(std::min(room, 0.0), std::max(room, 0.0));
  };
  for (int i = 0; i < kSides; ++i) {
    const cv::Size2d size = size_of(draw_side(rng));
    for (int k = 0; k < kPlaces; ++k) {
      const double x = start(picture.width - size.width), y = start(picture.height - size.height);
      const auto view = to_picture({{x, y}, size}, shape, input);
      if (targets.empty() || shows_any(view, targets, input)) return view;
    }
  }
  const cv::Size2d size = size_of(draw_side(rng));
  const cv::Point2d centre = any_of(targets, rng).centre;
  return to_picture({{centre.x - size.width / 2, centre.y - size.height / 2}, size}, shape, input);
}

}  // namespace plateforge
