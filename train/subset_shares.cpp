#include "train/subset_shares.h"

#include <cmath>
#include <filesystem>

namespace plateforge {
namespace {

using Json = nlohmann::json;

// Pictures of CCPD's subsets in the 2019 release; those that are no test subsets have none here.
const std::map<std::string, double>& ccpd_sizes() {
  static const std::map<std::string, double> sizes = {
      {"base", 0},   {"blur", 20611},   {"challenge", 50003}, {"db", 10132},
      {"fn", 20967}, {"rotate", 10053}, {"tilt", 30216},      {"weather", 0}};
  return sizes;
}

}  // namespace

void SubsetShares::add(const std::string& source, bool hit) {
  all_.add(hit);
  subsets_[std::filesystem::path(source).parent_path().filename().string()].add(hit);
}

std::map<std::string, std::pair<Proportion, double>> SubsetShares::ccpd_subsets(
    bool official) const {
  std::map<std::string, std::pair<Proportion, double>> found;
  for (const auto& [folder, share] : subsets_) {
    const auto name = folder.starts_with("ccpd_") ? folder.substr(5) : folder;
    const auto size = ccpd_sizes().find(name);
    if (size == ccpd_sizes().end() || (official && size->second == 0)) continue;
    auto& [sum, weight] = found[name];
    sum.hits += share.hits, sum.total += share.total;
    weight = official ? size->second : 1;
  }
  return found;
}

std::optional<PooledShare> SubsetShares::pooled(bool official) const {
  const auto subsets = ccpd_subsets(official);
  if (subsets.size() < 2) return std::nullopt;
  double all = 0, mean = 0, below = 0, above = 0;
  for (const auto& [name, subset] : subsets) all += subset.second;
  for (const auto& [name, subset] : subsets) {
    const double weight = subset.second / all, value = subset.first.value();
    const auto [low, high] = subset.first.interval95();
    mean += weight * value;
    below += weight * weight * (value - low) * (value - low);
    above += weight * weight * (high - value) * (high - value);
  }
  return PooledShare{mean, {mean - std::sqrt(below), mean + std::sqrt(above)}};
}

std::optional<PooledShare> SubsetShares::weighted() const { return pooled(/*official=*/true); }
std::optional<PooledShare> SubsetShares::plain_mean() const { return pooled(/*official=*/false); }

void SubsetShares::add_to(Json& json, const std::string& name) const {
  json[name] = value();
  json["interval95"][name] = interval_json(all_.interval95());
  json["per_subset"] = Json::object();
  if (subsets_.size() > 1)
    for (const auto& [folder, share] : subsets_)
      json["per_subset"][folder] = share_json(name.c_str(), share);
  for (const bool official : {true, false}) {
    auto& mean = json[official ? "pooled" : "subset_mean"];
    mean = nullptr;
    const auto share = pooled(official);
    if (!share) continue;
    mean = {{name, share->value},
            {"interval95", interval_json(share->interval95)},
            {"subsets", Json::array()}};
    for (const auto& [subset, ignored] : ccpd_subsets(official)) mean["subsets"].push_back(subset);
  }
}

std::string SubsetShares::to_text(const std::string& title) const {
  auto text = percent_line(title, all_);
  if (subsets_.size() > 1)
    for (const auto& [folder, share] : subsets_) text += percent_line("  " + folder, share);
  if (const auto mean = weighted())
    text += percent_line("  pooled by official sizes", mean->value, mean->interval95);
  if (const auto mean = plain_mean())
    text += percent_line("  mean of the subsets", mean->value, mean->interval95);
  return text;
}

}  // namespace plateforge
