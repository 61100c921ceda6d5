#pragma once

#include <algorithm>

#include "configs/error.h"
#include "data/loader.h"
#include "data/sampler.h"

namespace plateforge {

// Which sample of which part is the n-th of a mix, and how many make an epoch: what batches of
// plates and of frames have in common. `AnyMix` is Mix or FrameMix. Throws Error when there is
// nothing to draw from.
class SampleOrder {
 public:
  template <class AnyMix>
  SampleOrder(const AnyMix& mix, const LoaderOptions& options, const char* things)
      : options_(options), total_(mix.size()), real_(mix.real_size()) {
    require(total_ > 0, "there are no ", things, " to load");
    std::vector<double> weights;
    for (const auto& part : mix.parts) {
      require(part.source->size() > 0, "data part '", part.name, "' holds no ", things);
      weights.push_back(part.weight);
      sizes_.push_back(part.source->size());
    }
    sampler_ = std::make_unique<MixSampler>(weights, sizes_, options.seed);
  }

  MixSampler::Pick operator()(int64_t n) const { return options_.shuffle ? drawn(n) : in_order(n); }
  // By weight, also where the data are visited in order.
  MixSampler::Pick drawn(int64_t n) const { return (*sampler_)(n); }

  int64_t batches_per_epoch() const {
    return (samples_per_epoch() + options_.batch_size - 1) / options_.batch_size;
  }
  bool exists(int64_t batch) const { return options_.shuffle || batch < batches_per_epoch(); }
  // Samples of a batch: the last one of data in order may be short.
  int64_t batch_size(int64_t batch) const {
    if (options_.shuffle) return options_.batch_size;
    return std::min(options_.batch_size, total_ - batch * options_.batch_size);
  }

 private:
  MixSampler::Pick in_order(int64_t index) const {
    size_t part = 0;
    while (index >= sizes_[part]) index -= sizes_[part++];
    return {part, {0, index}};
  }
  int64_t samples_per_epoch() const {
    if (!options_.shuffle) return total_;
    if (options_.epoch_samples > 0) return options_.epoch_samples;
    return real_ > 0 ? real_ : total_;
  }

  LoaderOptions options_;
  int64_t total_, real_;
  std::vector<int64_t> sizes_;
  std::unique_ptr<MixSampler> sampler_;
};

// Where sample `i` of batch.images lies: channels_last memory of one sample is exactly OpenCV's
// interleaved picture.
cv::Mat picture_in(Batch& batch, int64_t i);
// A batch with room for `count` pictures of `size`.
Batch empty_batch(int64_t count, const cv::Size& size);

}  // namespace plateforge
