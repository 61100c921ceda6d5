#include "train/detector_data.h"

#include "configs/error.h"
#include "data/frames/open_frames.h"
#include "data/frames/split.h"

namespace plateforge {

DetectorData open_detector_data(const RunConfig& config, const Region& region) {
  const auto seed = static_cast<uint64_t>(config.seed);
  require(!config.data.train.empty(),
          "data.train is empty: set it to a SPEC of frames such as ccpd:DIR or yolo:DIR");
  DetectorData data;
  data.train = open_frames(config.data.train, region, seed);
  if (!config.data.val.empty()) {
    data.val = open_frames(config.data.val, region, seed);
  } else {
    auto split = split_frames(data.train, config.data.val_fraction, seed);
    data.train = std::move(split.train);
    data.val = std::move(split.val);
  }
  require(data.val.size() > 0,
          "nothing to validate on: set data.val, or data.val_fraction above 0 with photographs in "
          "data.train");
  return data;
}

}  // namespace plateforge
