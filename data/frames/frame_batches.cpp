#include "data/frames/frame_batches.h"

#include <ATen/Functions.h>

#include "data/frames/training_view.h"
#include "data/sample_order.h"

namespace plateforge {
namespace {

using Plates = std::vector<FramePlate>;

// Where the partners of a mosaic are drawn from the mix: far from the samples of a run.
constexpr int64_t kPartners = int64_t{1} << 40;

// Writes the values of one plate (see data/batch.h).
void write_target(const FramePlate& plate, float* to) {
  const auto knowledge = plate.ignore ? kIgnoredPlate : plate.corners ? kBoxAndCorners : kBoxOnly;
  for (const float value : {plate.box.x, plate.box.y, plate.box.br().x, plate.box.br().y}) {
    *to++ = value;
  }
  for (const auto& corner : plate.corners.value_or(Quad{})) {
    *to++ = corner.x;
    *to++ = corner.y;
  }
  *to = static_cast<float>(knowledge);
}

void set_targets(const std::vector<Plates>& plates, Batch& batch) {
  const auto count = static_cast<int64_t>(plates.size());
  size_t most = 1;
  for (const auto& frame : plates) most = std::max(most, frame.size());
  batch.targets = at::zeros({count, static_cast<int64_t>(most), kPlateValues}, at::kFloat);
  batch.target_lengths = at::empty({count}, at::kLong);
  auto* target = batch.targets.data_ptr<float>();
  auto* length = batch.target_lengths.data_ptr<int64_t>();
  for (const auto& frame : plates) {
    for (size_t i = 0; i < frame.size(); ++i) {
      write_target(frame[i], target + static_cast<int64_t>(i) * kPlateValues);
    }
    target += static_cast<int64_t>(most) * kPlateValues;
    *length++ = static_cast<int64_t>(frame.size());
  }
}

class FrameBatches final : public BatchMaker {
 public:
  FrameBatches(FrameMix mix, const Region& region, const FramesConfig& frames,
               const AugmentConfig& augment, const LoaderOptions& options)
      : mix_(std::move(mix)),
        view_(frames, augment, region),
        options_(options),
        order_(mix_, options, "frames") {}

  bool exists(int64_t position) const override { return order_.exists(position); }
  int64_t batches_per_epoch() const override { return order_.batches_per_epoch(); }

  Batch make(int64_t position) const override {
    const int64_t count = order_.batch_size(position);
    Batch batch = empty_batch(count, options_.size);
    std::vector<Plates> plates(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t sample = position * options_.batch_size + i;
      const auto pick = frame(order_(sample));
      cv::Mat out = picture_in(batch, i);
      auto& found = plates[static_cast<size_t>(i)];
      batch.sources.push_back(pick.source->name(pick.key.index));
      if (!options_.shuffle) {
        batch.letterboxes.push_back(letterbox_view(*pick.source, pick.key, out, found));
      } else if (view_.is_mosaic(pick)) {
        found = view_.mosaic(with_partners(pick, sample), out);
      } else {
        found = view_(pick, out);
      }
    }
    set_targets(plates, batch);
    return batch;
  }

 private:
  FramePick frame(const MixSampler::Pick& pick) const {
    return {mix_.parts[pick.source].source.get(), mix_key(options_.seed, pick.source), pick.key};
  }

  std::array<FramePick, 4> with_partners(const FramePick& first, int64_t sample) const {
    const int64_t at = kPartners + 3 * sample;
    return {first, frame(order_.drawn(at)), frame(order_.drawn(at + 1)),
            frame(order_.drawn(at + 2))};
  }

  FrameMix mix_;
  TrainingView view_;
  LoaderOptions options_;
  SampleOrder order_;
};

}  // namespace

BatchMakerPtr make_frame_batches(FrameMix mix, const Region& region, const FramesConfig& frames,
                                 const AugmentConfig& augment, const LoaderOptions& options) {
  return std::make_unique<FrameBatches>(std::move(mix), region, frames, augment, options);
}

}  // namespace plateforge
