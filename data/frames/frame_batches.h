#pragma once

#include "data/frame.h"
#include "data/loader.h"

namespace plateforge {

// Batches of a detector. Shuffled: training views (see TrainingView), mosaics among them. In order:
// letterbox views, with Batch::letterboxes to take predictions back. Targets as data/batch.h says.
// Throws Error when there are no frames or an op of `augment` moves pixels.
BatchMakerPtr make_frame_batches(FrameMix mix, const Region& region, const FramesConfig& frames,
                                 const AugmentConfig& augment, const LoaderOptions& options);

}  // namespace plateforge
