#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "train/metrics.h"

namespace plateforge {

// A mean with its 95 % interval.
struct PooledShare {
  double value = 0;
  std::pair<double, double> interval95;
};

// A share over a set and by the folders of its samples, CCPD's subsets: pooled in the two ways that
// published results are.
class SubsetShares {
 public:
  // `source` is a file, whose folder names the subset, or a generator's key.
  void add(const std::string& source, bool hit);

  const Proportion& all() const { return all_; }
  double value() const { return all_.value(); }
  const std::map<std::string, Proportion>& subsets() const { return subsets_; }
  // Mean over CCPD's test subsets (folders db, blur, fn, rotate, tilt and challenge, with or
  // without "ccpd_"), weighted by their official sizes as the dataset's authors do (2019 release);
  // Newcombe's square-and-add of the subsets' Wilson limits. nullopt with fewer than two of them.
  std::optional<PooledShare> weighted() const;
  // Plain mean over all of CCPD's subsets that occur, base and weather among them, as later papers
  // do. nullopt with fewer than two.
  std::optional<PooledShare> plain_mean() const;

  // Adds to `json`: name, interval95 by name, per_subset {folder: {name, samples, interval95}},
  // pooled and subset_mean {name, interval95, subsets} (null where there is none).
  void add_to(nlohmann::json& json, const std::string& name) const;
  // A line, and one for each subset and mean where there are several.
  std::string to_text(const std::string& title) const;

 private:
  // CCPD's subsets that occur, by plain name, with their weights; `official`: sizes of the test
  // subsets, else 1 each.
  std::map<std::string, std::pair<Proportion, double>> ccpd_subsets(bool official) const;
  std::optional<PooledShare> pooled(bool official) const;

  Proportion all_;
  std::map<std::string, Proportion> subsets_;
};

}  // namespace plateforge
