#pragma once

#include <ATen/core/Tensor.h>

#include "configs/detection_loss_config.h"
#include "models/detector.h"

namespace plateforge {

// The terms of a detector's loss, scalars, each already times its weight and divided by its
// normaliser, so that one backward pass of total() trains everything.
struct DetectionLoss {
  at::Tensor score, box, distribution, corners;
  at::Tensor total() const { return score + box + distribution + corners; }
};

// Loss of a batch. Anchors stand for plates by ATSS (losses/atss.h); P anchors are positive.
//   output          [N, A, K] as models/detector.h lays it out; any float type, computed in fp32
//                   (fp64 stays fp64)
//   targets         [N, M, kPlateValues] and
//   target_lengths  [N] int64, plates of each image: data/batch.h
//   anchors         of the network's input, on the host
// score: quality focal loss (Li et al. 2020, arXiv 2006.04388) |y - sigmoid|^beta * cross-entropy
//   over all anchors that are not ignored; y = IoU of the decoded box with its plate, detached, 0
//   for background. Sum / max(1, P).
// box: 1 - GIoU (Rezatofighi et al. 2019, arXiv 1902.09630) for gfl, 1 - DIoU (Zheng et al. 2020,
//   arXiv 1911.08287) for distance, weighted by the detached score of the anchor.
// distribution: of gfl, cross-entropy with the two bins beside the wanted distance (clamped to [0,
//   reg_max - 0.1]), mean over the four sides, same weights; 0 for distance.
// corners: smooth L1 summed over the eight coordinates, same weights, of plates whose corners are
//   known. In the unit "plate" an error counts in heights of its plate (no less than half a stride,
//   below which annotations are noise), because that is what is measured in the end: an error in
//   strides would teach a plate of 16 pixels height eight times less accuracy than one of 128.
// The last three are divided by one number, the sum of the weights of all positives, at least 1.
DetectionLoss detection_loss(const at::Tensor& output, const at::Tensor& targets,
                             const at::Tensor& target_lengths, const Anchors& anchors,
                             const DetectorConfig& detector, const DetectionLossConfig& config);

}  // namespace plateforge
