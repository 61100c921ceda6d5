#include "data/masked_batches.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <numeric>

#include "data/rng.h"

namespace plateforge {
namespace {

constexpr uint64_t kOperation = 0x6d61736b;  // keeps these numbers apart from augmentation's

// Fisher-Yates.
void shuffle(int64_t* values, int64_t count, Rng rng) {
  std::iota(values, values + count, int64_t{0});
  for (auto i = count - 1; i > 0; --i) std::swap(values[i], values[rng.below(i + 1)]);
}

class MaskedBatches final : public BatchMaker {
 public:
  MaskedBatches(BatchMakerPtr plates, int64_t patches, uint64_t seed)
      : plates_(std::move(plates)), patches_(patches), seed_(seed) {}

  bool exists(int64_t position) const override { return plates_->exists(position); }
  int64_t batches_per_epoch() const override { return plates_->batches_per_epoch(); }

  Batch make(int64_t position) const override {
    auto batch = plates_->make(position);
    batch.patch_order = at::empty({batch.size(), patches_}, at::kLong);
    auto* order = batch.patch_order.data_ptr<int64_t>();
    for (int64_t i = 0; i < batch.size(); ++i)
      shuffle(order + i * patches_, patches_, Rng(mix_key(seed_, kOperation, position, i)));
    return batch;
  }

 private:
  BatchMakerPtr plates_;
  int64_t patches_;
  uint64_t seed_;
};

}  // namespace

BatchMakerPtr make_masked_batches(BatchMakerPtr plates, int64_t patches, uint64_t seed) {
  return std::make_unique<MaskedBatches>(std::move(plates), patches, seed);
}

}  // namespace plateforge
