#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "configs/region.h"
#include "data/augment.h"
#include "data/batch.h"
#include "data/open.h"

namespace plateforge {

struct LoaderOptions {
  int64_t batch_size = 128;
  int64_t workers = 1;        // threads; 0 = load inside next()
  int64_t prefetch = 4;       // batches kept ready
  int64_t epoch_samples = 0;  // shuffled mode: samples per epoch; 0 = number of real plates
  bool shuffle = true;        // false: every plate once, in order, last batch may be short
  uint64_t seed = 1;
  cv::Size size{94, 24};
};

// Batches as a function of (seed, position) alone: identical for 0, 1 and 4 workers. In shuffled
// mode the mix is drawn by weight, each source walks through its own shuffled order without
// repeats until exhausted, and the stream never ends; `position` counts batches since the start of
// training and is all that resume needs.
class Loader {
 public:
  Loader(Mix mix, const Region& region, const AugmentConfig& augment, const LoaderOptions& options);
  ~Loader();

  // Starts (again) at this batch number.
  void seek(int64_t position);
  // The next batch; nullopt at the end (only when not shuffling). A plate that cannot be read
  // throws Error naming it; nothing is skipped or replaced.
  std::optional<Batch> next();

  int64_t batches_per_epoch() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plateforge
