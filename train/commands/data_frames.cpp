#include "train/commands/data_frames.h"

#include <iostream>

#include "configs/yaml.h"
#include "data/frames/preview.h"
#include "data/frames/stats.h"
#include "data/frames/verify.h"
#include "data/loader.h"
#include "train/commands/commands.h"
#include "train/commands/stopwatch.h"

namespace plateforge {

Verified verify_frame_data(const FrameData& data) {
  Verified result;
  FrameMix mix;
  result.index_seconds = seconds_of([&] { mix = data.open(&result.violations); });
  result.samples = mix.size();
  const auto found = verify_frames(mix, data.threads);
  result.violations.insert(result.violations.end(), found.begin(), found.end());
  return result;
}

int stats_frame_data(const FrameData& data, const std::string& json) {
  const auto stats = frame_stats(data.open(), data.threads);
  if (json != "-") std::cout << frame_stats_table(stats);
  write_json(json, stats);
  return 0;
}

cv::Mat preview_frame_data(const FrameData& data, const std::string& config, int64_t rows,
                           int64_t variants) {
  FramePreviewOptions options{.rows = rows, .variants = variants, .seed = data.seed};
  RunConfig run;
  if (!config.empty()) {
    run = read_run_config(config);
    options.size = input_size(run.model);
  }
  return preview_frames(data.open(), data.region, run.frames, run.augment, options);
}

}  // namespace plateforge
