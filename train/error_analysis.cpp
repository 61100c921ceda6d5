#include "train/error_analysis.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "data/concat.h"
#include "data/plate_look.h"

namespace plateforge {
namespace {

constexpr size_t kGroups = 4;

bool is_right(const ReadResult& result) { return result.read == result.truth; }

// Values in at most kGroups groups with as many members as ties allow.
nlohmann::json groups_of(const std::vector<double>& values,
                         const std::vector<ReadResult>& results) {
  auto sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> last;  // the largest value of each group
  for (size_t i = 1; i <= kGroups; ++i) {
    const double edge = sorted[(sorted.size() * i + kGroups - 1) / kGroups - 1];
    if (last.empty() || edge > last.back()) last.push_back(edge);
  }
  std::vector<Proportion> shares(last.size());
  std::vector<double> lowest(last.size(), sorted.back());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto group =
        static_cast<size_t>(std::lower_bound(last.begin(), last.end(), values[i]) - last.begin());
    shares[group].add(is_right(results[i]));
    lowest[group] = std::min(lowest[group], values[i]);
  }
  auto groups = nlohmann::json::array();
  for (size_t i = 0; i < last.size(); ++i) {
    auto group = share_json("exact_match", shares[i]);
    group["low"] = lowest[i];
    group["high"] = last[i];
    groups.push_back(group);
  }
  return groups;
}

// The median of what is read rightly: readers that learned with smoothed labels are never sure.
double least_suspect_confidence(const std::vector<ReadResult>& results) {
  std::vector<double> right;
  for (const auto& result : results)
    if (is_right(result)) right.push_back(result.confidence);
  if (right.empty()) return 1;
  const auto middle = right.begin() + static_cast<std::ptrdiff_t>(right.size() / 2);
  std::nth_element(right.begin(), middle, right.end());
  return *middle;
}

nlohmann::json suspects_of(const std::vector<ReadResult>& results) {
  const double least = least_suspect_confidence(results);
  std::vector<size_t> order;
  for (size_t i = 0; i < results.size(); ++i)
    if (!is_right(results[i]) && results[i].confidence >= least) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return results[a].confidence > results[b].confidence;
  });
  auto suspects = nlohmann::json::array();
  for (const auto i : order)
    suspects.push_back({{"index", i},
                        {"source", results[i].source},
                        {"truth", results[i].truth},
                        {"read", results[i].read},
                        {"confidence", results[i].confidence}});
  return suspects;
}

}  // namespace

nlohmann::json error_analysis(const Mix& mix, const cv::Size& size,
                              const std::vector<ReadResult>& results) {
  nlohmann::json analysis = {{"by", nlohmann::json::object()}, {"suspects", suspects_of(results)}};
  if (results.empty()) return analysis;
  const auto plates = concat(mix);
  std::map<std::string, std::vector<double>> looks;
  for (int64_t i = 0; i < plates->size(); ++i) {
    const auto look = look_of(plates->read({0, i}), size);
    looks["width"].push_back(look.width);
    looks["brightness"].push_back(look.brightness);
    looks["contrast"].push_back(look.contrast);
    looks["sharpness"].push_back(look.sharpness);
    looks["tilt"].push_back(look.tilt);
  }
  for (const auto& [property, values] : looks)
    analysis["by"][property] = groups_of(values, results);
  return analysis;
}

std::string analysis_text(const nlohmann::json& analysis) {
  std::string text;
  for (const auto& [property, groups] : analysis.at("by").items())
    for (const auto& group : groups) {
      char name[64];
      std::snprintf(name, sizeof name, "%s %.4g to %.4g", property.c_str(),
                    group.at("low").get<double>(), group.at("high").get<double>());
      const auto& interval = group.at("interval95");
      text += percent_line(name, group.at("exact_match").get<double>(),
                           {interval.at(0).get<double>(), interval.at(1).get<double>()},
                           "of " + std::to_string(group.at("samples").get<int64_t>()));
    }
  for (const auto& one : analysis.at("suspects")) {
    char sure[16];
    std::snprintf(sure, sizeof sure, "%.4f", one.at("confidence").get<double>());
    text += "label or reader wrong?      " + one.at("truth").get<std::string>() + " read as " +
            one.at("read").get<std::string>() + " (" + sure + ") in " +
            one.at("source").get<std::string>() + "\n";
  }
  return text;
}

}  // namespace plateforge
