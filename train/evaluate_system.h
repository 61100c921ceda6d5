#pragma once

#include <string>
#include <vector>

#include "data/frame.h"
#include "train/predict/pipeline.h"
#include "train/system_metrics.h"

namespace plateforge {

struct SystemEvaluation {
  SystemMetrics metrics;
  PipelineSeconds seconds;
};

// Finds and reads the plates of every frame, on a thread for each of `models`, and judges them.
SystemEvaluation evaluate_system(const FrameMix& mix, const Region& region,
                                 std::vector<PlateModels>& models);

// Recognition alone: the plates of a SPEC cut as the annotation says, in each of `crops` (see
// CropOptions).
void add_annotated_crops(const std::string& spec, const std::vector<std::string>& crops,
                         PlateReader& reader, SystemMetrics& metrics);

}  // namespace plateforge
