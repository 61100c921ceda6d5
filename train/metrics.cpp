#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "configs/error.h"
#include "configs/utf8.h"

namespace plateforge {

std::pair<double, double> Proportion::interval95() const {
  if (total == 0) return {0, 1};
  const auto n = static_cast<double>(total);
  const double p = value(), z2 = kZ95 * kZ95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // Exactly 0 and 1 at the ends, where rounding would leave 1e-17.
  return {hits == 0 ? 0 : centre - half, hits == total ? 1 : centre + half};
}

nlohmann::json interval_json(const std::pair<double, double>& interval) {
  return nlohmann::json::array({interval.first, interval.second});
}

nlohmann::json share_json(const char* name, const Proportion& share) {
  return {{name, share.value()},
          {"samples", share.total},
          {"interval95", interval_json(share.interval95())}};
}

std::string percent_line(const std::string& name, double value,
                         const std::pair<double, double>& interval, const std::string& note) {
  char line[160];
  std::snprintf(line, sizeof line, "  %7.2f %%  [%6.2f, %6.2f]  %s\n", 100 * value,
                100 * interval.first, 100 * interval.second, note.c_str());
  std::string padded = name;
  padded.resize(std::max<size_t>(padded.size(), 28), ' ');
  return padded + line;
}

std::string percent_line(const std::string& name, const Proportion& share) {
  return percent_line(name, share.value(), share.interval95(),
                      std::to_string(share.hits) + "/" + std::to_string(share.total));
}

ReaderMetrics::ReaderMetrics(const Region& region)
    : region_(region), only_region_(region.alphabet().size(), false) {
  for (size_t i = 0; i < region_.alphabet().size(); ++i) {
    index_[region_.alphabet()[i]] = static_cast<int64_t>(i);
  }
  for (const int64_t symbol : region_.region_symbols()) {
    only_region_[static_cast<size_t>(symbol)] = true;
  }
  for (const Layout& layout : region_.layouts()) {
    for (const Slot* slot : layout.slots()) {
      if (slot->symbols == region_.region_symbols()) continue;
      for (const int64_t symbol : slot->symbols) only_region_[static_cast<size_t>(symbol)] = false;
    }
  }
}

void ReaderMetrics::add(const ReadResult& result) {
  const Characters truth = split_utf8(result.truth), read = split_utf8(result.read);
  const bool right = truth == read;
  exact_.add(right);
  without_region_.add(right || matches_without_region(truth, read));
  wrong_length_.add(truth.size() != read.size());

  per_position_.resize(std::max(per_position_.size(), truth.size()));
  for (size_t i = 0; i < truth.size(); ++i) {
    per_position_[i].add(i < read.size() && read[i] == truth[i]);
  }
  std::vector<bool> in_region;
  const Layout* layout = layout_of(symbols_of(truth), in_region);
  per_layout_[layout ? layout->name : "none"].add(right);
  count_edits(truth, read);

  const double confidence = std::clamp(result.confidence, 0.0, 1.0);
  const auto bins = static_cast<double>(bins_.size());
  Bin& bin = bins_[std::min(bins_.size() - 1, static_cast<size_t>(confidence * bins))];
  bin.correct.add(right);
  bin.confidence += confidence;
}

// The first layout that the symbols fit; in_region says which of them stand at region slots.
const Layout* ReaderMetrics::layout_of(const std::vector<int64_t>& symbols,
                                       std::vector<bool>& in_region) const {
  for (const Layout& layout : region_.layouts()) {
    const auto used = layout.fit(symbols);
    if (!used) continue;
    in_region.assign(symbols.size(), false);
    if (region_.region_symbols().empty()) return &layout;
    for (size_t i = 0; i < symbols.size(); ++i) {
      in_region[i] = (*used)[i]->symbols == region_.region_symbols();
    }
    return &layout;
  }
  return nullptr;
}

// -1 for a character outside the alphabet.
std::vector<int64_t> ReaderMetrics::symbols_of(const Characters& text) const {
  std::vector<int64_t> symbols;
  for (const std::string& character : text) {
    const auto found = index_.find(character);
    symbols.push_back(found == index_.end() ? -1 : found->second);
  }
  return symbols;
}

bool ReaderMetrics::matches_without_region(const Characters& truth, const Characters& read) const {
  const auto rest = [](const Characters& text, const std::vector<bool>& left_out) {
    Characters kept;
    for (size_t i = 0; i < text.size(); ++i) {
      if (!left_out[i]) kept.push_back(text[i]);
    }
    return kept;
  };
  // Texts outside the grammar lose the symbols that can be nothing but a region's.
  const auto region_characters = [&](const Characters& text) {
    const auto symbols = symbols_of(text);
    std::vector<bool> in_region(text.size(), false);
    if (layout_of(symbols, in_region)) return in_region;
    for (size_t i = 0; i < text.size(); ++i) {
      in_region[i] = symbols[i] >= 0 && only_region_[static_cast<size_t>(symbols[i])];
    }
    return in_region;
  };
  const auto in_truth = region_characters(truth);
  const auto in_read = truth.size() == read.size() ? in_truth : region_characters(read);
  return rest(truth, in_truth) == rest(read, in_read);
}

// Levenshtein distance with its alignment; every edit is a confusion pair.
void ReaderMetrics::count_edits(const Characters& truth, const Characters& read) {
  const size_t rows = truth.size() + 1, columns = read.size() + 1;
  std::vector<int64_t> distance(rows * columns);
  const auto at = [&](size_t i, size_t j) -> int64_t& { return distance[i * columns + j]; };
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      if (i == 0 || j == 0) {
        at(i, j) = static_cast<int64_t>(i + j);
        continue;
      }
      const int64_t swap = at(i - 1, j - 1) + (truth[i - 1] != read[j - 1]);
      at(i, j) = std::min({swap, at(i - 1, j) + 1, at(i, j - 1) + 1});
    }
  }
  edits_.emplace_back(at(rows - 1, columns - 1), static_cast<int64_t>(truth.size()));

  for (size_t i = rows - 1, j = columns - 1; i > 0 || j > 0;) {
    const bool both = i > 0 && j > 0;
    if (both && at(i, j) == at(i - 1, j - 1) + (truth[i - 1] != read[j - 1])) {
      --i, --j;
      if (truth[i] != read[j]) ++confusion_[{truth[i], read[j]}];
    } else if (i > 0 && at(i, j) == at(i - 1, j) + 1) {
      ++confusion_[{truth[--i], ""}];
    } else {
      ++confusion_[{"", read[--j]}];
    }
  }
}

double ReaderMetrics::cer() const {
  int64_t distance = 0, characters = 0;
  for (const auto& [edits, length] : edits_) distance += edits, characters += length;
  return characters ? static_cast<double>(distance) / static_cast<double>(characters) : 0;
}

// A ratio of two sums over plates: normal interval of the ratio estimator, plates being
// independent.
std::pair<double, double> ReaderMetrics::cer_interval95() const {
  const double rate = cer();
  double squares = 0, characters = 0;
  for (const auto& [edits, length] : edits_) {
    const double off = static_cast<double>(edits) - rate * static_cast<double>(length);
    squares += off * off;
    characters += static_cast<double>(length);
  }
  const double half = characters > 0 ? kZ95 * std::sqrt(squares) / characters : 0;
  return {std::max(0.0, rate - half), rate + half};
}

double ReaderMetrics::expected_calibration_error() const {
  double error = 0;
  for (const Bin& bin : bins_)
    error += std::abs(bin.confidence - static_cast<double>(bin.correct.hits));
  return samples() ? error / static_cast<double>(samples()) : 0;
}

double ReaderMetrics::value(const std::string& name) const {
  if (name == "exact_match") return exact_.value();
  if (name == "exact_match_without_region") return without_region_.value();
  if (name == "cer") return cer();
  if (name == "wrong_length") return wrong_length_.value();
  fail("unknown reader metric '", name,
       "'; known: cer, exact_match, exact_match_without_region, wrong_length");
}

nlohmann::json ReaderMetrics::to_json() const {
  nlohmann::json json = {
      {"samples", samples()},
      {"exact_match", exact_.value()},
      {"exact_match_without_region", without_region_.value()},
      {"cer", cer()},
      {"wrong_length", wrong_length_.value()},
      {"interval95",
       {{"exact_match", interval_json(exact_.interval95())},
        {"exact_match_without_region", interval_json(without_region_.interval95())},
        {"cer", interval_json(cer_interval95())},
        {"wrong_length", interval_json(wrong_length_.interval95())}}}};
  json["per_position"] = nlohmann::json::array();
  for (size_t i = 0; i < per_position_.size(); ++i) {
    auto entry = share_json("correct", per_position_[i]);
    entry["position"] = i;
    json["per_position"].push_back(entry);
  }
  json["per_layout"] = nlohmann::json::object();
  for (const auto& [name, share] : per_layout_) {
    json["per_layout"][name] = share_json("exact_match", share);
  }
  json["confusion"] = nlohmann::json::array();
  for (const auto& [pair, count] : confusion_) {
    json["confusion"].push_back({{"truth", pair.first}, {"read", pair.second}, {"count", count}});
  }
  auto& pairs = json["confusion"].get_ref<nlohmann::json::array_t&>();
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    return a["count"].template get<int64_t>() > b["count"].template get<int64_t>();
  });
  auto bins = nlohmann::json::array();
  for (size_t i = 0; i < bins_.size(); ++i) {
    if (bins_[i].correct.total == 0) continue;
    auto entry = share_json("exact_match", bins_[i].correct);
    entry["low"] = static_cast<double>(i) / static_cast<double>(bins_.size());
    entry["high"] = static_cast<double>(i + 1) / static_cast<double>(bins_.size());
    entry["confidence"] = bins_[i].confidence / static_cast<double>(bins_[i].correct.total);
    bins.push_back(entry);
  }
  json["calibration"] = {{"expected_error", expected_calibration_error()}, {"bins", bins}};
  return json;
}

std::string ReaderMetrics::to_text() const {
  std::string text = "plates                      " + std::to_string(samples()) + "\n";
  text += percent_line("exact match", exact_);
  if (!region_.region_symbols().empty())
    text += percent_line("  without region character", without_region_);
  text += percent_line("character error rate", cer(), cer_interval95());
  text += percent_line("wrong length", wrong_length_);
  for (const auto& [name, share] : per_layout_) text += percent_line("layout " + name, share);
  for (size_t i = 0; i < per_position_.size(); ++i) {
    text += percent_line("position " + std::to_string(i + 1), per_position_[i]);
  }
  char line[80];
  std::snprintf(line, sizeof line, "calibration error             %5.2f %%\n",
                100 * expected_calibration_error());
  text += line;
  std::string pairs;
  int64_t shown = 0;
  for (const auto& entry : to_json()["confusion"]) {
    if (++shown > 10) break;
    const auto name = [&](const char* key) {
      const auto character = entry[key].get<std::string>();
      return character.empty() ? std::string("nothing") : character;
    };
    pairs += (pairs.empty() ? "" : ", ") + name("truth") + " as " + name("read") + " x" +
             std::to_string(entry["count"].get<int64_t>());
  }
  if (!pairs.empty()) text += "most confused               " + pairs + "\n";
  return text;
}

}  // namespace plateforge
