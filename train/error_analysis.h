#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/open.h"
#include "train/metrics.h"

namespace plateforge {

// Where a reader fails. `results` are in the order of `mix`, whose pictures are read once more.
//   by          per property of the plates (width, brightness, contrast, sharpness, tilt; see
//               PlateLook) at most four groups of like size: low, high, exact_match, samples,
//               interval95. A property that all plates share has one group
//   suspects    mistakes that the reader is surer of than of half of what it reads rightly, surest
//               first: among them are wrong labels. source, truth, read, confidence, index
nlohmann::json error_analysis(const Mix& mix, const cv::Size& size,
                              const std::vector<ReadResult>& results);

// The same for people.
std::string analysis_text(const nlohmann::json& analysis);

}  // namespace plateforge
