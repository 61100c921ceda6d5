#include <ATen/Functions.h>

#include "configs/error.h"
#include "data/augment.h"
#include "data/sample_order.h"

namespace plateforge {
namespace {

// Network inputs and labels of a reader.
class PlateBatches final : public BatchMaker {
 public:
  PlateBatches(Mix mix, const Region& region, const AugmentConfig& augment,
               const LoaderOptions& options)
      : mix_(std::move(mix)),
        region_(region),
        augment_(augment, options.size, region),
        options_(options),
        order_(mix_, options, "plates") {}

  bool exists(int64_t position) const override { return order_.exists(position); }
  int64_t batches_per_epoch() const override { return order_.batches_per_epoch(); }

  Batch make(int64_t position) const override {
    const int64_t count = order_.batch_size(position);
    Batch batch = empty_batch(count, options_.size);
    std::vector<std::vector<int64_t>> labels;
    for (int64_t i = 0; i < count; ++i) {
      const auto [part, key] = order_(position * options_.batch_size + i);
      const Plate plate = mix_.parts[part].source->read(key);
      const cv::Mat view = picture_in(batch, i);
      cv::Mat out = view;
      augment_(plate, mix_key(options_.seed, part), key, out);
      if (out.data != view.data) out.copyTo(view);
      labels.push_back(encode(plate));
      batch.texts.push_back(plate.text);
      batch.sources.push_back(plate.source);
    }
    set_targets(labels, batch);
    return batch;
  }

 private:
  std::vector<int64_t> encode(const Plate& plate) const {
    try {
      return region_.encode(plate.text);
    } catch (const Error& problem) {
      fail(plate.source, ": ", problem.what());
    }
  }

  static void set_targets(const std::vector<std::vector<int64_t>>& labels, Batch& batch) {
    const auto count = static_cast<int64_t>(labels.size());
    size_t longest = 0;
    for (const auto& label : labels) longest = std::max(longest, label.size());
    batch.targets = at::full({count, static_cast<int64_t>(longest)}, -1, at::kLong);
    batch.target_lengths = at::empty({count}, at::kLong);
    auto* target = batch.targets.data_ptr<int64_t>();
    auto* length = batch.target_lengths.data_ptr<int64_t>();
    for (const auto& label : labels) {
      std::copy(label.begin(), label.end(), target);
      target += longest;
      *length++ = static_cast<int64_t>(label.size());
    }
  }

  Mix mix_;
  Region region_;
  Augmenter augment_;
  LoaderOptions options_;
  SampleOrder order_;
};

}  // namespace

BatchMakerPtr make_plate_batches(Mix mix, const Region& region, const AugmentConfig& augment,
                                 const LoaderOptions& options) {
  return std::make_unique<PlateBatches>(std::move(mix), region, augment, options);
}

}  // namespace plateforge
