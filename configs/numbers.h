#pragma once

#include <string>

#include "configs/visit.h"

namespace plateforge {

// The shortest decimal text that reads back as the same double ("0.1", "1e-08").
std::string number_text(double value);

// "[0, 10]"
std::string range_text(const Range& range);

}  // namespace plateforge
