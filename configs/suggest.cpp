#include "configs/suggest.h"

#include <algorithm>
#include <numeric>

#include "configs/error.h"

namespace plateforge {

namespace {

// Levenshtein distance in bytes.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, (word.size() + 1) / 3) + 1;
  for (const auto& name : known) {
    const size_t distance = edit_distance(word, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

std::string known_names(const std::string& word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(word, known);
  return (nearest.empty() ? "" : "did you mean '" + nearest + "'? ") + "known: " + join(known);
}

size_t find_name(const std::string& what, const std::string& name,
                 const std::vector<std::string>& known) {
  const auto found = std::find(known.begin(), known.end(), name);
  require(found != known.end(), "unknown ", what, " '", name, "'; ", known_names(name, known));
  return static_cast<size_t>(found - known.begin());
}

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

}  // namespace plateforge
