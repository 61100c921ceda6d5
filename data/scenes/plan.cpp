#include "data/scenes/plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/geometry.h"
#include "data/rectify.h"

namespace plateforge::scenes {
namespace {

constexpr double kDegree = std::numbers::pi / 180;
constexpr int kTries = 12;

double log_uniform(double low, double high, Rng& rng) {
  return std::exp(rng.uniform(std::log(low), std::log(std::max(high, low))));
}

cv::Size draw_size(Rng& rng) {
  constexpr double kAspects[] = {1, 4.0 / 3, 3.0 / 4, 16.0 / 9, 9.0 / 16, 720.0 / 1160};
  const double aspect = kAspects[rng.below(6)];
  // Large pictures are rarer: they cost more and add little.
  const double side = 480 * std::pow(1280.0 / 480, std::pow(rng.uniform(), 2.5));
  // Whole blocks, also of a picture reduced by 8.
  const auto extent = [](double v) { return 8 * std::clamp(cvRound(v / 8), 60, 160); };
  return {extent(side * std::sqrt(aspect)), extent(side / std::sqrt(aspect))};
}

// Mostly small angles, some up to `most` degrees.
double draw_angle(double mean, double usual, double most, double wild, Rng& rng) {
  if (rng.chance(wild)) return kDegree * rng.uniform(-most, most);
  return kDegree * std::clamp(mean + usual * rng.normal(), -most, most);
}

Pose draw_pose(const cv::Size& picture, Rng& rng) {
  Pose pose;
  pose.yaw = draw_angle(0, 18, 60, 0.2, rng);
  pose.pitch = draw_angle(5, 9, 35, 0.15, rng);
  pose.roll = draw_angle(0, 5, 30, 0.2, rng);
  pose.focal = std::max(picture.width, picture.height) * log_uniform(0.7, 2.5, rng);
  pose.principal = {picture.width / 2.0, picture.height / 2.0};
  return pose;
}

cv::Rect2f inflated(const Quad& quad, float share, float pixels) {
  const cv::Rect2f box = extents(quad);
  const float dx = share * box.width + pixels, dy = share * box.height + pixels;
  return {box.x - dx, box.y - dy, box.width + 2 * dx, box.height + 2 * dy};
}

// One plan under construction.
class Planner {
 public:
  Planner(const PlanOptions& options, const Plates& plates, Rng& rng)
      : options_(options), plates_(plates), rng_(rng) {}

  Plan draw() {
    plan_.size = draw_size(rng_);
    plan_.light = draw_light(rng_);
    const bool empty = rng_.chance(options_.empty);
    draw_background(empty);
    add_vehicles(empty);
    if (!empty) add_plates();
    add_boards(empty);
    return std::move(plan_);
  }

 private:
  bool is_free(const cv::Rect2f& box) const {
    return std::none_of(taken_.begin(), taken_.end(),
                        [&](const cv::Rect2f& other) { return !(box & other).empty(); });
  }

  void draw_background(bool empty) {
    if (options_.photos.empty() || rng_.chance(options_.made_up)) return;
    plan_.photo = static_cast<size_t>(rng_.below(static_cast<int64_t>(options_.photos.size())));
    PhotoView& view = plan_.photo_view;
    view = {rng_.uniform(0.55, 1), rng_.uniform(), rng_.uniform(), rng_.chance(0.5)};
    if (rng_.chance(0.7)) view.saturation = rng_.uniform(0, 1.3);
    view.turn = rng_.chance(0.75) ? 0 : 1 + static_cast<int>(rng_.below(2));
    const Photo& photo = options_.photos[*plan_.photo];
    if (!empty && !photo.plates.empty() && rng_.chance(0.6)) replace_plate(photo);
  }

  // A new plate where the photograph had its own: nothing is more plausible.
  void replace_plate(const Photo& photo) {
    const Quad quad = in_picture(photo.plates[0], plan_.photo_view, photo_size(photo), plan_.size);
    PlannedPlate plate = new_plate();
    plate.view = View(quad, {440, 140});
    plate.mount = rng_.chance(0.6) ? Mount::bare : Mount::holder;
    if (is_convex(quad) && accept(plate, 0.95)) plan_.plates.push_back(std::move(plate));
  }

  PlannedPlate new_plate() {
    PlannedPlate plate;
    plate.design = plates_.design(rng_);
    plate.key = rng_.next();
    if (rng_.chance(0.1)) {
      plate.cover = static_cast<Cover>(1 + rng_.below(5));
      plate.covered = rng_.chance(0.75) ? rng_.uniform(0.04, 0.25) : rng_.uniform(0.25, 0.6);
      if (plate.cover == Cover::ball) plate.covered = 0.05;
    }
    return plate;
  }

  // Whether the plate can be seen well enough and is in nobody's way; its place is then taken.
  bool accept(PlannedPlate& plate, double inside) {
    const cv::Rect2d place = plate.place();
    if (!plate.view.shows(place)) return false;
    const Quad quad = plate.quad();
    const cv::Size2f sides = side_lengths(quad);
    if (!is_convex(quad) || std::min(sides.width, sides.height) < 4) return false;
    if (sides.width > static_cast<float>(plate.design.most_pixels)) return false;
    if (share_inside(quad, plan_.size) < inside) return false;
    const cv::Rect2f box = inflated(quad, 0.2F, 3);
    if (!is_free(box)) return false;
    plate.soften = rng_.uniform(0.15, 0.7);
    if (rng_.chance(0.12)) plate.soften = rng_.uniform(0.5, 3);
    plate.soften = std::min<double>(plate.soften, 0.07 * sides.height);
    taken_.push_back(box);
    return true;
  }

  void add_plates() {
    const double many = rng_.uniform();
    const size_t count = many < 0.55 ? 1 : many < 0.77 ? 2 : many < 0.9 ? 3 : 4;
    const double widest = std::min(plan_.size.width, plan_.size.height * 3 / 2);
    const double most = (count == 1 ? 0.6 : 0.4) * widest;
    std::vector<double> widths;
    while (widths.size() + plan_.plates.size() < count) {
      // Every scale alike, and some more of the near ones.
      widths.push_back(rng_.chance(0.3) ? rng_.uniform(0.25, 1) * most
                                        : log_uniform(20, most, rng_));
    }
    std::sort(widths.begin(), widths.end());
    for (const double width : widths) {
      for (int i = 0; i < kTries && !add_plate(width); ++i) continue;
    }
  }

  bool add_plate(double width) {
    PlannedPlate plate = new_plate();
    Pose pose = draw_pose(plan_.size, rng_);
    pose.scale = width / plate.design.size.width;
    const bool cut = rng_.chance(0.06);
    const double x = cut ? 0 : std::min(width / 2 / plan_.size.width, 0.45);
    const double y =
        cut ? 0 : std::min(pose.scale * plate.design.size.height / 2 / plan_.size.height, 0.45);
    pose.centre = {plan_.size.width * rng_.uniform(x, 1 - x),
                   plan_.size.height * rng_.uniform(y, 1 - y)};
    plate.view = View(pose);
    if (!accept(plate, cut ? 0.3 : 0.97)) return false;
    choose_mount(plate);
    plan_.plates.push_back(std::move(plate));
    return true;
  }

  void choose_mount(PlannedPlate& plate) {
    plate.mount = rng_.chance(0.5) ? Mount::holder : Mount::bare;
    if (rng_.chance(plan_.photo ? 0.35 : 0.75)) {
      plate.vehicle = design_vehicle(plate.design.size, rng_);
      if (hides_nobody(plate.view, plate.vehicle.place())) plate.mount = Mount::vehicle;
    } else if (rng_.chance(0.5)) {
      plate.panel = {plate.design.size.width * rng_.uniform(1.1, 2.6),
                     plate.design.size.height * rng_.uniform(1.15, 3.2)};
      const cv::Rect2d panel({-plate.panel.width / 2, -plate.panel.height / 2}, plate.panel);
      if (hides_nobody(plate.view, panel)) plate.mount = Mount::panel;
    }
  }

  // Whether `body`, which carries the plate accepted last, covers no plate before it.
  bool hides_nobody(const View& view, const cv::Rect2d& body) {
    if (!view.shows(body)) return false;
    const cv::Rect2f box = extents(view.quad(body));
    return std::none_of(taken_.begin(), taken_.end() - 1,
                        [&](const cv::Rect2f& other) { return !(box & other).empty(); });
  }

  // Somewhere in the picture, `width` pixels wide where its own width is `mm`.
  View anywhere(double width, double mm, bool on_ground) {
    Pose pose = draw_pose(plan_.size, rng_);
    if (on_ground) pose.pitch = kDegree * rng_.uniform(45, 72);
    pose.scale = width / mm;
    pose.centre = {plan_.size.width * rng_.uniform(), plan_.size.height * rng_.uniform()};
    return View(pose);
  }

  void add_vehicles(bool empty) {
    const int64_t count = plan_.photo ? (rng_.chance(0.15) ? 1 : 0) : rng_.below(empty ? 4 : 3);
    for (int64_t i = 0; i < count; ++i) {
      const cv::Size2d place = rng_.chance(0.7) ? cv::Size2d(440, 130) : cv::Size2d(300, 170);
      PlannedVehicle vehicle{design_vehicle(place, rng_), {}, rng_.next()};
      vehicle.design.with_plate = false;
      const double width = log_uniform(60, 1.3 * plan_.size.width, rng_);
      vehicle.view = anywhere(width, vehicle.design.width, false);
      if (vehicle.view.shows(vehicle.design.place())) plan_.vehicles.push_back(vehicle);
    }
  }

  void add_boards(bool empty) {
    const int64_t count = empty ? 2 + rng_.below(7) : rng_.below(6);
    for (int64_t i = 0; i < count; ++i) {
      PlannedBoard board{design_board(rng_), {}, rng_.next()};
      const bool on_ground = board.design.kind == BoardKind::ground;
      const double width = log_uniform(16, 0.5 * plan_.size.width, rng_);
      for (int k = 0; k < 4; ++k) {
        board.view = anywhere(width, board.design.size.width, on_ground);
        if (!board.view.shows(board.design.place())) continue;
        if (!is_free(inflated(board.view.quad(board.design.place()), 0, 1))) continue;
        plan_.boards.push_back(board);
        break;
      }
    }
  }

  const PlanOptions& options_;
  const Plates& plates_;
  Rng& rng_;
  Plan plan_;
  std::vector<cv::Rect2f> taken_;  // plates and a little around them
};

}  // namespace

Plan draw_plan(const PlanOptions& options, const Plates& plates, Rng& rng) {
  return Planner(options, plates, rng).draw();
}

Plan reduced(Plan plan, int reduction) {
  const double share = 1.0 / reduction;
  plan.size /= reduction;
  plan.light.grain *= share;
  for (auto& vehicle : plan.vehicles) vehicle.view = vehicle.view.resized(share);
  for (auto& board : plan.boards) board.view = board.view.resized(share);
  for (auto& plate : plan.plates) {
    plate.view = plate.view.resized(share);
    plate.soften *= share;
  }
  return plan;
}

std::vector<FramePlate> annotations(const Plan& plan) {
  const double lens = plan.light.blur * std::max(plan.size.width, plan.size.height) / 640.0;
  std::vector<FramePlate> result;
  for (const PlannedPlate& planned : plan.plates) {
    const Quad quad = planned.quad();
    const double height = side_lengths(quad).height;
    const double visible = share_inside(quad, plan.size) * (1 - planned.covered);
    FramePlate plate{extents(quad), quad, planned.design.label, false};
    plate.ignore = visible < 0.6 || height < 6 || std::hypot(planned.soften, lens) > height / 8;
    result.push_back(std::move(plate));
  }
  return result;
}

}  // namespace plateforge::scenes
