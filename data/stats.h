#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "data/open.h"

namespace plateforge {

// Counts over all plates: `samples`, `parts`, `characters`, `region_characters`, `lengths`,
// `layouts` (of the region; "none" = no layout fits) and `sizes` of the plates in source pixels
// (`width`, `height`, `aspect`, each with `p5`, `p50`, `p95`). Sizes need every picture: without
// `with_sizes` only labels are read. Throws Error on a picture that cannot be read.
nlohmann::json data_stats(const Mix& mix, const Region& region, bool with_sizes,
                          int64_t threads = 0);

// The same for people.
std::string stats_table(const nlohmann::json& stats);

}  // namespace plateforge
