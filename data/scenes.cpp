#include "data/scenes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "configs/error.h"
#include "configs/paths.h"
#include "data/ccpd.h"
#include "data/rng.h"
#include "data/scenes/backdrop.h"
#include "data/scenes/mount.h"
#include "data/scenes/plan.h"

namespace plateforge {
namespace {

// Streams of random numbers of a scene.
enum Stream : uint64_t { kPlan, kBackdrop, kWeather, kCamera };

// The whole blocks of `block` pixels that a part lies in. Scenes consist of such blocks.
cv::Rect in_blocks(const cv::Rect& part, int block) {
  const auto down = [&](int v) { return v / block * block; };
  const auto up = [&](int v) { return (v + block - 1) / block * block; };
  return {cv::Point(down(part.x), down(part.y)), cv::Point(up(part.br().x), up(part.br().y))};
}

class SceneSource final : public FrameSource {
 public:
  SceneSource(std::string name, scenes::PlanOptions options, scenes::Plates plates, int64_t count,
              uint64_t seed)
      : name_(std::move(name)),
        options_(std::move(options)),
        plates_(std::move(plates)),
        count_(count),
        seed_(seed) {}

  int64_t size() const override { return count_; }
  bool is_real() const override { return false; }
  std::string name(int64_t index) const override { return name({0, index}); }
  std::vector<FramePlate> plates(int64_t index) const override {
    return annotations(plan({0, index}));
  }

  Frame read(const SampleKey& key, const ChooseView& choose) const override {
    const scenes::Plan plan = this->plan(key);
    Frame frame;
    frame.source = name(key);
    frame.plates = annotations(plan);
    frame.region = cv::Rect({0, 0}, plan.size);
    if (choose) {
      const FrameView view = choose(plan.size, frame.plates);
      const cv::Rect& wanted = view.region;
      frame.region &= wanted;
      require(!frame.region.empty(), frame.source, ": the region asked for (", wanted.width, " x ",
              wanted.height, " at ", wanted.x, ", ", wanted.y, ") lies outside its ",
              plan.size.width, " x ", plan.size.height, " pixels");
      frame.reduction = view.whole_reduction();
      frame.region = in_blocks(frame.region, frame.reduction);
    }
    const cv::Mat picture = paint(reduced(plan, frame.reduction), key);
    const cv::Rect shown(frame.region.tl() / frame.reduction,
                         frame.region.size() / frame.reduction);
    frame.image = shown.size() == picture.size() ? picture : picture(shown).clone();
    return frame;
  }

 private:
  std::string name(const SampleKey& key) const {
    return "scenes:" + name_ + ":" + std::to_string(key.epoch) + ":" + std::to_string(key.index);
  }
  Rng stream(const SampleKey& key, Stream which) const {
    return Rng(mix_key(seed_, key.epoch, key.index, which));
  }
  scenes::Plan plan(const SampleKey& key) const {
    Rng rng = stream(key, kPlan);
    return draw_plan(options_, plates_, rng);
  }
  void paint_carriers(const scenes::Plan& plan, cv::Mat& picture) const {
    const auto paint = [&](const scenes::VehicleDesign& design, const scenes::View& view,
                           Rng& rng) {
      const cv::Rect2d window = view.visible(design.place(), plan.size);
      if (window.width < 1 || window.height < 1) return;
      put(paint_vehicle(design, window, view.scale(), lettering_, rng), view, 0, picture);
    };
    for (const auto& vehicle : plan.vehicles) {
      Rng rng(vehicle.key);
      paint(vehicle.design, vehicle.view, rng);
    }
    for (const auto& plate : plan.plates) {
      if (plate.mount != scenes::Mount::vehicle) continue;
      Rng rng(mix64(plate.key));
      paint(plate.vehicle, plate.view, rng);
    }
    for (const auto& board : plan.boards) {
      Rng rng(board.key);
      const double pixels = board.view.scale() * board.design.size.width;
      put(paint_board(board.design, pixels, lettering_, rng), board.view,
          plan.light.grain * rng.uniform(0, 0.8), picture);
    }
  }

  cv::Mat paint(const scenes::Plan& plan, const SampleKey& key) const {
    Rng backdrop = stream(key, kBackdrop);
    cv::Mat picture =
        plan.photo ? scenes::read_photo(options_.photos[*plan.photo], plan.photo_view, plan.size)
                   : scenes::paint_backdrop(plan.size, backdrop);
    paint_carriers(plan, picture);
    apply_light(picture, plan.light);
    std::vector<Quad> quads;
    for (const auto& plate : plan.plates) {
      mount_plate(plate, plates_, plan.light, lettering_, picture);
      quads.push_back(plate.quad());
    }
    Rng weather = stream(key, kWeather), camera = stream(key, kCamera);
    apply_weather(picture, plan.light, quads, weather);
    apply_camera(picture, plan.light, quads, lettering_, camera);
    return picture;
  }

  std::string name_;
  scenes::PlanOptions options_;
  scenes::Plates plates_;
  scenes::Lettering lettering_;
  int64_t count_;
  uint64_t seed_;
};

double share_option(const SpecPart& part, const std::string& key, double fallback) {
  const std::string text = spec_option(part, key, std::to_string(fallback));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1,
          part.kind, ":", part.location, ": expected a number from 0 to 1 after '", key,
          "=', came '", text, "'");
  return value;
}

std::vector<Region> open_regions(const std::string& location, const Region& region) {
  if (location == region.name()) return {region};
  if (location != "any") return {Region::load(location)};
  std::vector<Region> regions;
  for (const auto& name : known_configs("regions")) regions.push_back(Region::load(name));
  return regions;
}

// Labels are not checked: what is written on a plate does not matter to a detector.
PlateSourcePtr open_plates(const std::string& spec) {
  if (spec.empty()) return nullptr;
  const size_t colon = spec.find(':');
  const std::string kind = colon == std::string::npos ? "crops" : spec.substr(0, colon);
  const std::string place = colon == std::string::npos ? spec : spec.substr(colon + 1);
  require(kind == "crops" || kind == "csv" || kind == "ccpd", "scenes: plates=", spec,
          ": expected crops:DIR, csv:FILE or ccpd:DIR, came the kind '", kind, "'");
  Listing listing = kind == "crops" ? list_crops(place)
                    : kind == "csv" ? list_csv(place)
                                    : list_ccpd(place, {});
  require(listing.violations.empty(),
          listing.violations.empty() ? "" : listing.violations[0].message);
  return make_file_source(listing.root, std::move(listing.items));
}

}  // namespace

FrameSourcePtr make_scene_source(const SpecPart& part, const Region& region, uint64_t seed) {
  const int64_t count = spec_number(part, "count", 10000);
  require(count > 0, "scenes:", part.location, ": expected count above 0");
  scenes::PlanOptions options;
  options.empty = share_option(part, "empty", options.empty);
  const std::string backgrounds = spec_option(part, "backgrounds", "");
  if (!backgrounds.empty()) options.photos = scenes::list_photos(backgrounds);
  scenes::Plates plates(open_regions(part.location, region), part.location == "any",
                        open_plates(spec_option(part, "plates", "")));
  const auto own_seed = static_cast<uint64_t>(spec_number(part, "seed", 0));
  return std::make_shared<SceneSource>(part.location, std::move(options), std::move(plates), count,
                                       mix_key(seed, own_seed));
}

}  // namespace plateforge
