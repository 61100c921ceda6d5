#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "configs/region.h"

namespace plateforge {

inline constexpr double kZ95 = 1.959963984540054;  // 97.5 % point of the normal distribution

// A share with its 95 % Wilson score interval.
struct Proportion {
  int64_t hits = 0, total = 0;
  double value() const {
    return total ? static_cast<double>(hits) / static_cast<double>(total) : 0;
  }
  std::pair<double, double> interval95() const;  // [0, 1] when nothing was counted
  void add(bool hit) { hits += hit, ++total; }
};

// How metrics show their numbers. JSON: [low, high]; {name: value, "samples", "interval95"}. Lines
// of a table: name, percentage, interval, note (of a share: hits/total).
nlohmann::json interval_json(const std::pair<double, double>& interval);
nlohmann::json share_json(const char* name, const Proportion& share);
std::string percent_line(const std::string& name, double value,
                         const std::pair<double, double>& interval, const std::string& note = "");
std::string percent_line(const std::string& name, const Proportion& share);

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

  int64_t samples() const { return exact_.total; }
  Proportion exact_match() const { return exact_; }
  // Without the characters that the truth's layout puts at slots of the region's class. A reading
  // of another length is compared without its own region characters.
  Proportion exact_match_without_region() const { return without_region_; }
  double cer() const;  // Levenshtein distance / characters of the truth, over the whole set
  // A metric by its JSON key, for choosing the best weights; throws Error listing the known keys.
  double value(const std::string& name) const;

  // Numbers: samples, exact_match, exact_match_without_region, cer, wrong_length, and interval95
  // with [low, high] of each by key. Lists: per_position, per_layout, confusion (pairs, most
  // frequent first; "" = nothing there), calibration {expected_error, bins}; each share of a list
  // has its own interval95.
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people

 private:
  using Characters = std::vector<std::string>;
  struct Bin {
    Proportion correct;
    double confidence = 0;  // sum
  };

  const Layout* layout_of(const std::vector<int64_t>& symbols, std::vector<bool>& in_region) const;
  std::vector<int64_t> symbols_of(const Characters& text) const;
  bool matches_without_region(const Characters& truth, const Characters& read) const;
  void count_edits(const Characters& truth, const Characters& read);
  std::pair<double, double> cer_interval95() const;
  double expected_calibration_error() const;

  Region region_;
  std::map<std::string, int64_t> index_;  // alphabet index of a character
  std::vector<bool> only_region_;         // by symbol: stands in region slots and nowhere else

  Proportion exact_, without_region_, wrong_length_;
  std::vector<Proportion> per_position_;
  std::map<std::string, Proportion> per_layout_;
  std::map<std::pair<std::string, std::string>, int64_t> confusion_;
  std::vector<std::pair<int64_t, int64_t>> edits_;  // per plate: distance, characters of the truth
  std::array<Bin, 10> bins_;                        // by confidence
};

}  // namespace plateforge
