#include "models/backbone.h"

#include <array>

#include "configs/error.h"
#include "models/mobilenet_v4.h"
#include "models/scrfd_backbones.h"

namespace plateforge {

std::vector<size_t> tapped_stages(const std::vector<int64_t>& strides) {
  constexpr std::array<int64_t, 4> kStrides = {4, 8, 16, 32};
  std::vector<size_t> stages;
  for (const auto stride : strides) {
    const auto found = std::find(kStrides.begin(), kStrides.end(), stride);
    require(found != kStrides.end(), "no backbone has a map of stride ", stride,
            "; known: 4 8 16 32");
    stages.push_back(static_cast<size_t>(found - kStrides.begin()));
  }
  require(!stages.empty(), "a backbone needs at least one of the strides 4, 8, 16 and 32");
  return stages;
}

std::shared_ptr<Backbone> make_backbone(const std::string& name,
                                        const std::vector<int64_t>& strides, bool whole) {
  if (name == "scrfd_500m") return make_scrfd_500m(strides, whole);
  if (name == "scrfd_2g5") return make_scrfd_2g5(strides, whole);
  return std::make_shared<MobileNetV4>(mobilenet_v4_table(name), strides, whole);
}

}  // namespace plateforge
