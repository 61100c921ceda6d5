#pragma once

#include <filesystem>

#include "data/open.h"

namespace plateforge {

// Both write every plate of `mix` (epoch 0) into `folder`, which must be empty or absent, and throw
// Error on a plate that cannot be read or written. `threads` 0 = one per core.

// <text>_<number>.png, the plate alone: cut out, rectified when it is not a whole picture.
void write_crops(const Mix& mix, const std::filesystem::path& folder, int64_t threads = 0);

// plates.csv with image_path, plate_text and the corners, and images/<number>.png with the plate
// and its surroundings: nothing is resampled.
void write_csv(const Mix& mix, const std::filesystem::path& folder, int64_t threads = 0);

}  // namespace plateforge
