#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "configs/region.h"

namespace plateforge {

// A share with its 95 % Wilson score interval.
struct Proportion {
  int64_t hits = 0, total = 0;
  double value() const {
    return total ? static_cast<double>(hits) / static_cast<double>(total) : 0;
  }
  std::pair<double, double> interval95() const;
};

// One plate read: what stood there, what was read, how sure the reader was (0..1).
struct ReadResult {
  std::string truth, read, source;
  double confidence = 0;
};

// Reader metrics over a set; a plain accumulator.
class ReaderMetrics {
 public:
  explicit ReaderMetrics(const Region& region);
  void add(const ReadResult& result);

  int64_t samples() const;
  Proportion exact_match() const;
  Proportion exact_match_without_region() const;
  double cer() const;  // Levenshtein distance / characters of the truth, over the whole set
  // A metric by its JSON key, for choosing the best weights; throws Error listing the known keys.
  double value(const std::string& name) const;

  // samples, exact_match, exact_match_without_region, cer, wrong_length, per_position, per_layout,
  // confusion (pairs), calibration (expected error, bins); interval95 beside every share.
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people

 private:
  Region region_;
  std::vector<ReadResult> results_;
};

}  // namespace plateforge
