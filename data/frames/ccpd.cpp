#include <algorithm>

#include "data/frames/corners.h"
#include "data/frames/listing.h"
#include "data/rectify.h"

namespace plateforge {

FrameListing list_ccpd_frames(const std::filesystem::path& root, const CcpdQuery& query) {
  auto names = list_ccpd(root, query);
  FrameListing listing;
  listing.root = root;
  listing.upright = false;
  listing.violations = std::move(names.violations);
  for (auto& [path, text, quad] : names.items) {
    if (!is_convex(*quad)) {
      const std::string file = (root / path).string();
      listing.violations.push_back({"annotation", file, file + ": the four vertices cross"});
      continue;
    }
    FramePlate plate{.box = extents(*quad), .corners = *quad, .text = text};
    listing.items.push_back({std::move(path), {std::move(plate)}, {}});
  }
  for (auto& path : names.unannotated) listing.items.push_back({std::move(path), {}, {}});
  std::sort(listing.items.begin(), listing.items.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return listing;
}

}  // namespace plateforge
