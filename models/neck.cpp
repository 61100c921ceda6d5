#include "models/neck.h"

#include "configs/error.h"
#include "models/bifpn.h"
#include "models/pafpn.h"

namespace plateforge {

using torch::Tensor;

std::shared_ptr<Neck> make_neck(const DetectorConfig& config, const std::vector<Level>& backbone) {
  require(config.strides.size() >= 2,
          "a neck mixes at least two levels, model.detector.strides has ", config.strides.size());
  if (config.neck == "pafpn")
    return std::make_shared<PaFpn>(backbone, config.strides.size(), config.neck_channels);
  return std::make_shared<BiFpn>(backbone, bifpn_options(config));
}

Tensor up_to(const Tensor& coarse, const Tensor& fine) {
  auto up = torch::upsample_nearest2d(coarse, {2 * coarse.size(2), 2 * coarse.size(3)});
  for (const int64_t axis : {2, 3})
    if (up.size(axis) != fine.size(axis)) up = up.slice(axis, 0, fine.size(axis));
  return up;
}

Tensor halved(const Tensor& x) { return torch::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}); }

ExtraLevels::ExtraLevels(int64_t in, int64_t channels, size_t count, double epsilon)
    : count_(count) {
  if (in != channels)
    project_ = add_conv_norm(*this, {.in = in, .out = channels, .bias = true}, Activation::none, {},
                             epsilon);
}

void ExtraLevels::extend(std::vector<Tensor>& maps) const {
  auto last = project_ ? (*project_)(maps.back()) : maps.back();
  for (size_t i = 0; i < count_; ++i) maps.push_back(last = halved(last));
}

}  // namespace plateforge
