#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plateforge {

// Splits UTF-8 text into code points, each as its own string. Throws Error at a malformed byte.
std::vector<std::string> split_utf8(std::string_view text);

}  // namespace plateforge
