#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "configs/region.h"
#include "data/augment.h"
#include "data/batch.h"
#include "data/open.h"

namespace plateforge {

// What a network looks at, as a picture's size.
cv::Size input_size(const ModelConfig& model);

struct LoaderOptions {
  int64_t batch_size = 128;
  int64_t workers = 1;        // threads beside the caller; 0 = all cores inside next()
  int64_t prefetch = 4;       // batches kept ready
  int64_t epoch_samples = 0;  // shuffled mode: samples per epoch; 0 = number of real ones
  bool shuffle = true;        // false: every sample once, in order, last batch may be short
  uint64_t seed = 1;
  cv::Size size{94, 24};
};

// Batches as a function of (seed, position) alone; immutable, so any thread may make any batch.
// In shuffled mode the mix is drawn by weight, each source walks through its own shuffled order
// without repeats until exhausted, and the stream never ends; `position` counts batches since the
// start of training.
class BatchMaker {
 public:
  virtual ~BatchMaker() = default;
  virtual bool exists(int64_t position) const = 0;
  // Throws Error naming what cannot be read; nothing is skipped or replaced.
  virtual Batch make(int64_t position) const = 0;
  virtual int64_t batches_per_epoch() const = 0;
};
using BatchMakerPtr = std::unique_ptr<const BatchMaker>;

// Batches of a reader: plates with their labels. Throws Error when there are none.
BatchMakerPtr make_plate_batches(Mix mix, const Region& region, const AugmentConfig& augment,
                                 const LoaderOptions& options);

// A maker's batches in order, identical for any number of workers. The position is all that resume
// needs. Workers make batches beside a caller who waits for a GPU; a caller who computes on the CPU
// is held up less when all cores make `prefetch` batches at once inside next() (no workers): a
// worker on one of the cores that a matrix product was divided over makes all of them wait.
class Loader {
 public:
  Loader(BatchMakerPtr maker, const LoaderOptions& options);
  // Of make_plate_batches().
  Loader(Mix mix, const Region& region, const AugmentConfig& augment, const LoaderOptions& options);
  ~Loader();

  // Starts (again) at this batch number.
  void seek(int64_t position);
  // The next batch; nullopt at the end (only when not shuffling). What went wrong with a batch is
  // thrown, and thrown again when it is asked for again.
  std::optional<Batch> next();

  int64_t batches_per_epoch() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plateforge
