#include "data/frames/verify.h"

#include <unordered_map>

#include "configs/error.h"
#include "data/parallel.h"
#include "data/picture_hash.h"

namespace plateforge {

std::vector<Violation> verify_frames(const FrameMix& mix, int64_t threads) {
  std::vector<Violation> violations;
  std::unordered_map<uint64_t, std::string> first_with;
  for (const auto& part : mix.parts) {
    const auto count = static_cast<size_t>(part.source->size());
    std::vector<uint64_t> pixels(count);
    std::vector<std::string> problems(count);
    parallel_for(part.source->size(), threads, [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      try {
        pixels[at] = pixel_hash(part.source->read({0, i}).image);
      } catch (const Error& problem) {
        problems[at] = problem.what();
      }
    });
    for (size_t at = 0; at < count; ++at) {
      const std::string name = part.source->name(static_cast<int64_t>(at));
      if (!problems[at].empty()) {
        violations.push_back({"picture", name, problems[at]});
        continue;
      }
      const auto [before, is_new] = first_with.emplace(pixels[at], name);
      if (is_new) continue;
      violations.push_back(
          {"duplicate", name, name + " shows the same picture as " + before->second});
    }
  }
  return violations;
}

}  // namespace plateforge
