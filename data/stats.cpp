#include "data/stats.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>

#include "configs/utf8.h"
#include "data/concat.h"
#include "data/geometry.h"
#include "data/parallel.h"

namespace plateforge {
namespace {

using Counts = std::map<std::string, int64_t>;

nlohmann::json quantiles(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto index = share * static_cast<double>(values.size() - 1) + 0.5;
    return std::round(values[static_cast<size_t>(index)] * 100) / 100;
  };
  return {{"p5", at(0.05)}, {"p50", at(0.5)}, {"p95", at(0.95)}};
}

nlohmann::json size_stats(const PlateSource& plates, int64_t threads) {
  const auto count = static_cast<size_t>(plates.size());
  std::vector<float> width(count), height(count), aspect(count);
  parallel_for(plates.size(), threads, [&](int64_t i) {
    const auto sides = side_lengths(plates.read({0, i}).quad);
    const auto at = static_cast<size_t>(i);
    width[at] = sides.width, height[at] = sides.height, aspect[at] = sides.width / sides.height;
  });
  return {
      {"width", quantiles(width)}, {"height", quantiles(height)}, {"aspect", quantiles(aspect)}};
}

// "  A 12  B 7 ..." most frequent first, wrapped to 100 columns.
void write_counts(std::ostream& out, const std::string& title, const nlohmann::json& counts,
                  int64_t total) {
  std::vector<std::pair<std::string, int64_t>> sorted;
  for (const auto& [key, count] : counts.items()) sorted.emplace_back(key, count);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  out << title << " (" << sorted.size() << ")\n";
  int64_t column = 0;
  for (const auto& [key, count] : sorted) {
    std::ostringstream cell;
    cell << "  " << key << ' ' << count;
    if (total > 0) {
      const double share = 100.0 * static_cast<double>(count) / static_cast<double>(total);
      cell << " (" << std::fixed << std::setprecision(1) << share << " %)";
    }
    if (column + static_cast<int64_t>(cell.str().size()) > 100) out << '\n', column = 0;
    out << cell.str();
    column += static_cast<int64_t>(cell.str().size());
  }
  out << "\n\n";
}

}  // namespace

nlohmann::json data_stats(const Mix& mix, const Region& region, bool with_sizes, int64_t threads) {
  const auto plates = concat(mix);
  Counts characters, region_characters, lengths, layouts;
  const auto& region_symbols = region.region_symbols();
  for (int64_t i = 0; i < plates->size(); ++i) {
    const std::string text = plates->text(i);
    const auto symbols = split_utf8(text);
    for (const auto& symbol : symbols) ++characters[symbol];
    for (const auto index : region.encode(text)) {
      if (std::binary_search(region_symbols.begin(), region_symbols.end(), index)) {
        ++region_characters[region.alphabet()[static_cast<size_t>(index)]];
        break;  // the first one names the place; the same letter may come again elsewhere
      }
    }
    ++lengths[std::to_string(symbols.size())];
    ++layouts[region.layout_of(text).value_or("none")];
  }
  nlohmann::json parts = nlohmann::json::array();
  for (const auto& part : mix.parts) {
    parts.push_back({{"name", part.name},
                     {"samples", part.source->size()},
                     {"weight", part.weight},
                     {"real", part.source->is_real()}});
  }
  nlohmann::json stats = {{"samples", plates->size()}, {"parts", parts},
                          {"characters", characters},  {"region_characters", region_characters},
                          {"lengths", lengths},        {"layouts", layouts}};
  for (const auto& symbol : region.alphabet()) {
    if (!characters.contains(symbol)) stats["absent_characters"].push_back(symbol);
  }
  if (with_sizes && plates->size() > 0) stats["sizes"] = size_stats(*plates, threads);
  return stats;
}

std::string stats_table(const nlohmann::json& stats) {
  std::ostringstream out;
  const auto total = stats.at("samples").get<int64_t>();
  out << total << " plates\n";
  for (const auto& part : stats.at("parts")) {
    out << "  " << part.at("name").get<std::string>() << "  " << part.at("samples")
        << " plates, weight " << part.at("weight")
        << (part.at("real").get<bool>() ? "" : ", generated") << '\n';
  }
  out << '\n';
  write_counts(out, "layouts", stats.at("layouts"), total);
  write_counts(out, "lengths", stats.at("lengths"), total);
  if (!stats.at("region_characters").empty()) {
    write_counts(out, "region characters", stats.at("region_characters"), total);
  }
  write_counts(out, "characters", stats.at("characters"), 0);
  if (stats.contains("absent_characters")) {
    out << "characters of the alphabet that never occur:";
    for (const auto& symbol : stats.at("absent_characters"))
      out << ' ' << symbol.get<std::string>();
    out << "\n\n";
  }
  if (stats.contains("sizes")) {
    out << "size in pixels        p5      p50      p95\n";
    for (const char* name : {"width", "height", "aspect"}) {
      out << "  " << std::left << std::setw(12) << name << std::right;
      for (const char* p : {"p5", "p50", "p95"}) {
        out << std::setw(9) << stats.at("sizes").at(name).at(p).get<double>();
      }
      out << '\n';
    }
  }
  return out.str();
}

}  // namespace plateforge
