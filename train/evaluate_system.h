#pragma once

#include <functional>
#include <string>

#include "data/frame.h"
#include "train/predict/pipeline.h"
#include "train/system_metrics.h"

namespace plateforge {

struct SystemEvaluation {
  SystemMetrics metrics;
  StageSeconds seconds;  // of all frames, over all threads
  double elapsed = 0;    // seconds, from the first frame to the last
};

// Finds and reads the plates of every frame and judges them. `make` gives each thread its models.
SystemEvaluation evaluate_system(const FrameMix& frames, const Region& region,
                                 const std::function<PlateModels()>& make,
                                 const PipelineOptions& options);

// Recognition alone: the plates of a SPEC cut as the annotation says, in each of `crops` (see
// CropOptions).
void add_annotated_crops(const std::string& spec, const std::vector<std::string>& crops,
                         PlateReader& reader, SystemMetrics& metrics);

}  // namespace plateforge
