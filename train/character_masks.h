#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "configs/region.h"
#include "models/maskocr.h"

namespace plateforge {

// MaskOCR's language stage: some characters of each plate are hidden, and the reader has to tell
// them from what is left.
struct CharacterMasks {
  torch::Tensor hidden;  // [N, T] bool: patches that show any of them
  torch::Tensor taught;  // [N, S] bool: their slots
};

// Hides `share` of the characters of every text, at least one, drawn by LibTorch's generator. Where
// they stand follows from the region's layout; the plates are taken to be rectified, rows side by
// side as the network sees them. A text that fits no layout hides nothing.
CharacterMasks draw_character_masks(const std::vector<std::string>& texts, const Region& region,
                                    const PatchGrid& grid, int64_t slots, double share);

}  // namespace plateforge
