#include "data/frames/stats.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <numbers>
#include <sstream>

#include "data/frames/corners.h"
#include "data/geometry.h"
#include "data/parallel.h"

namespace plateforge {
namespace {

constexpr int kBarWidth = 50;

// A quantity of a plate and the lower bounds of its histogram's bins; what lies below the first
// counts there.
struct Quantity {
  const char* name;
  std::vector<double> bounds;
};

const std::vector<Quantity>& quantities() {
  static const std::vector<Quantity> kQuantities = {
      {"width", {0, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}},
      {"height", {0, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256}},
      {"aspect", {0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6}},
      {"tilt", {-90, -45, -30, -20, -15, -10, -5, 0, 5, 10, 15, 20, 30, 45}},
  };
  return kQuantities;
}

using Values = std::map<std::string, std::vector<double>>;

void add_plate(const FramePlate& plate, Values& values) {
  const Quad quad = outline(plate);
  const auto sides = side_lengths(quad);
  values["width"].push_back(sides.width);
  values["height"].push_back(sides.height);
  values["aspect"].push_back(static_cast<double>(sides.width) / static_cast<double>(sides.height));
  if (!plate.corners) return;
  const auto along = quad[1] + quad[2] - quad[0] - quad[3];
  values["tilt"].push_back(static_cast<double>(std::atan2(along.y, along.x)) * 180 /
                           std::numbers::pi);
}

nlohmann::json distribution(std::vector<double> values, const std::vector<double>& bounds) {
  std::sort(values.begin(), values.end());
  nlohmann::json result;
  for (const auto& [name, share] : {std::pair("p5", 0.05), {"p50", 0.5}, {"p95", 0.95}}) {
    const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
    result[name] = std::round(values[at] * 100) / 100;
  }
  std::vector<int64_t> counts(bounds.size());
  for (const double value : values) {
    const auto above = std::upper_bound(bounds.begin() + 1, bounds.end(), value);
    ++counts[static_cast<size_t>(above - bounds.begin() - 1)];
  }
  result["histogram"] = nlohmann::json::array();
  for (size_t i = 0; i < bounds.size(); ++i) {
    result["histogram"].push_back({{"from", bounds[i]}, {"plates", counts[i]}});
  }
  return result;
}

std::vector<std::vector<FramePlate>> all_plates(const FrameMix& mix, int64_t threads) {
  std::vector<std::vector<FramePlate>> plates;
  for (const auto& part : mix.parts) {
    const size_t first = plates.size();
    plates.resize(first + static_cast<size_t>(part.source->size()));
    parallel_for(part.source->size(), threads, [&](int64_t i) {
      plates[first + static_cast<size_t>(i)] = part.source->plates(i);
    });
  }
  return plates;
}

void write_histogram(std::ostream& out, const std::string& name, const nlohmann::json& found) {
  out << '\n'
      << name << "  p5 " << found.at("p5") << "  p50 " << found.at("p50") << "  p95 "
      << found.at("p95") << '\n';
  int64_t most = 1;
  for (const auto& bin : found.at("histogram"))
    most = std::max(most, bin.at("plates").get<int64_t>());
  for (const auto& bin : found.at("histogram")) {
    const auto plates = bin.at("plates").get<int64_t>();
    if (plates == 0) continue;
    const auto bar = static_cast<size_t>((plates * kBarWidth + most - 1) / most);
    out << "  from " << std::setw(5) << bin.at("from").get<double>() << std::setw(8) << plates
        << "  " << std::string(bar, '#') << '\n';
  }
}

}  // namespace

nlohmann::json frame_stats(const FrameMix& mix, int64_t threads) {
  int64_t plates = 0, ignored = 0, with_corners = 0, with_text = 0;
  std::map<std::string, int64_t> per_frame;
  Values values;
  for (const auto& frame : all_plates(mix, threads)) {
    int64_t here = 0;
    for (const auto& plate : frame) {
      if (plate.ignore) {
        ++ignored;
        continue;
      }
      ++here;
      with_corners += plate.corners.has_value();
      with_text += !plate.text.empty();
      add_plate(plate, values);
    }
    plates += here;
    ++per_frame[std::to_string(here)];
  }
  nlohmann::json stats = {{"frames", mix.size()},
                          {"plates", plates},
                          {"ignored", ignored},
                          {"with_corners", with_corners},
                          {"with_text", with_text},
                          {"plates_per_frame", per_frame},
                          {"parts", nlohmann::json::array()}};
  for (const auto& part : mix.parts) {
    stats["parts"].push_back({{"name", part.name},
                              {"frames", part.source->size()},
                              {"weight", part.weight},
                              {"real", part.source->is_real()}});
  }
  for (const auto& [name, bounds] : quantities()) {
    if (!values[name].empty()) stats[name] = distribution(values[name], bounds);
  }
  return stats;
}

std::string frame_stats_table(const nlohmann::json& stats) {
  std::ostringstream out;
  out << stats.at("frames") << " frames with " << stats.at("plates") << " plates ("
      << stats.at("with_corners") << " with corners, " << stats.at("with_text")
      << " with text) and " << stats.at("ignored") << " regions to ignore\n";
  for (const auto& part : stats.at("parts")) {
    out << "  " << part.at("name").get<std::string>() << "  " << part.at("frames")
        << " frames, weight " << part.at("weight")
        << (part.at("real").get<bool>() ? "" : ", generated") << '\n';
  }
  out << "\nplates per frame\n";
  for (const auto& [plates, frames] : stats.at("plates_per_frame").items()) {
    out << "  " << std::setw(4) << plates << std::setw(8) << frames.get<int64_t>() << " frames\n";
  }
  for (const auto& [name, bounds] : quantities()) {
    if (stats.contains(name)) write_histogram(out, name, stats.at(name));
  }
  return out.str();
}

}  // namespace plateforge
