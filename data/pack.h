#pragma once

#include <filesystem>

#include "data/plate.h"

namespace plateforge {

// A pack is one file of fixed-size pictures: each plate resampled once so that its quad lies at a
// known inner rectangle, with some surroundings for geometric augmentation. It is mapped into
// memory, so opening costs nothing, reading costs a copy, and the system's page cache is the only
// memory used. Layout: "pfpack02", uint64 size of the JSON header, the header (width, height,
// margin, real, texts, sources), zeros up to a multiple of 4096,
// then a record per plate: float32 width / height of the plate as it was seen, height x width x 3
// bytes BGR. Numbers are little-endian.
struct PackOptions {
  cv::Size record{160, 48};  // whole record, surroundings included
  double margin = 0.125;  // surroundings on each side, share of the plate's size: 128 x 38.4 inside
  int64_t threads = 0;    // 0 = one per core
};

// Writes all plates of `source` (epoch 0), atomically. Throws Error on the first plate that cannot
// be read, and when the disk is full.
void write_pack(const PlateSource& source, const std::filesystem::path& file,
                const PackOptions& options);

// Opens a pack. Throws Error when the file is not a pack, was cut off or is of another version.
PlateSourcePtr open_pack(const std::filesystem::path& file);

// The same plates from a pack in `folder`, written now unless it is there. The pack's name is its
// key: names, sizes, times and labels of the pictures, crop settings and `options`; so a change
// makes a new pack, and a folder of old ones may be emptied at any time. Sources without
// fingerprint (generators, packs) are returned unchanged.
PlateSourcePtr cached(const PlateSourcePtr& source, const PackOptions& options,
                      const std::filesystem::path& folder);

}  // namespace plateforge
