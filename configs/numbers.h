#pragma once

#include <string>

#include "configs/visit.h"

namespace plateforge {

// The shortest decimal text that reads back as the same double ("0.1", "1e-08").
std::string number_text(double value);

// Whether a difference of two shares keeps a bound: 0.99 - 0.98 is 0.01, whatever doubles say.
inline bool within(double difference, double bound) { return difference <= bound + 1e-9; }

// "[0, 10]"
std::string range_text(const Range& range);

}  // namespace plateforge
