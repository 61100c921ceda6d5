#include "configs/embedded.h"

namespace plateforge {

std::string filled(std::string_view text, const Words& words) {
  std::string out(text);
  for (const auto& [key, value] : words) {
    const auto mark = "@" + key + "@";
    for (auto at = out.find(mark); at != std::string::npos; at = out.find(mark, at + value.size()))
      out.replace(at, mark.size(), value);
  }
  return out;
}

}  // namespace plateforge
