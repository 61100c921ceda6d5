#include "configs/numbers.h"

#include <array>
#include <charconv>

namespace plateforge {

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

std::string range_text(const Range& range) {
  return "[" + number_text(range.low) + ", " + number_text(range.high) + "]";
}

}  // namespace plateforge
