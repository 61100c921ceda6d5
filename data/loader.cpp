#include "data/loader.h"

#include <ATen/Functions.h>

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <opencv2/core/utility.hpp>
#include <stdexcept>
#include <thread>

#include "configs/error.h"
#include "data/sampler.h"

namespace plateforge {
namespace {

// Assembles batches: immutable, so any thread may make any batch.
class BatchMaker {
 public:
  BatchMaker(Mix mix, const Region& region, const AugmentConfig& augment,
             const LoaderOptions& options)
      : mix_(std::move(mix)),
        region_(region),
        augment_(augment, options.size, region),
        options_(options) {
    require(mix_.size() > 0, "there are no plates to load");
    std::vector<double> weights;
    std::vector<int64_t> sizes;
    for (const auto& part : mix_.parts) {
      require(part.source->size() > 0, "data part '", part.name, "' holds no plates");
      weights.push_back(part.weight);
      sizes.push_back(part.source->size());
    }
    sampler_ = std::make_unique<MixSampler>(weights, sizes, options.seed);
  }

  int64_t samples_per_epoch() const {
    if (!options_.shuffle) return mix_.size();
    if (options_.epoch_samples > 0) return options_.epoch_samples;
    return mix_.real_size() > 0 ? mix_.real_size() : mix_.size();
  }
  int64_t batches_per_epoch() const {
    return (samples_per_epoch() + options_.batch_size - 1) / options_.batch_size;
  }
  bool exists(int64_t position) const { return options_.shuffle || position < batches_per_epoch(); }

  Batch make(int64_t position) const {
    const int64_t first = position * options_.batch_size;
    int64_t count = options_.batch_size;
    if (!options_.shuffle) count = std::min(count, mix_.size() - first);
    const int64_t height = options_.size.height, width = options_.size.width;

    Batch batch;
    batch.images = at::empty({count, 3, height, width}, at::kByte, c10::nullopt, c10::nullopt,
                             c10::nullopt, at::MemoryFormat::ChannelsLast);
    std::vector<std::vector<int64_t>> labels;
    for (int64_t i = 0; i < count; ++i) {
      const auto [part, key] = options_.shuffle ? (*sampler_)(first + i) : in_order(first + i);
      const Plate plate = mix_.parts[part].source->read(key);
      // channels_last memory of one sample is exactly OpenCV's interleaved picture.
      cv::Mat view(options_.size, CV_8UC3,
                   batch.images.data_ptr<uint8_t>() + i * height * width * 3);
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
  MixSampler::Pick in_order(int64_t index) const {
    size_t part = 0;
    while (index >= mix_.parts[part].source->size()) index -= mix_.parts[part++].source->size();
    return {part, {0, index}};
  }

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
  std::unique_ptr<MixSampler> sampler_;
};

// A finished batch, the end of the data, or what went wrong.
struct Result {
  std::optional<Batch> batch;
  std::exception_ptr problem;
};

Result make_result(const BatchMaker& maker, int64_t position) {
  try {
    if (!maker.exists(position)) return {};
    return {maker.make(position), nullptr};
  } catch (...) {
    return {std::nullopt, std::current_exception()};
  }
}

}  // namespace

// Workers take batch numbers in order and may finish out of order; `done_` holds finished ones
// until their turn. At most `prefetch` batches are finished or under way beyond the one asked for.
struct Loader::Impl {
  Impl(Mix mix, const Region& region, const AugmentConfig& augment, const LoaderOptions& options)
      : maker(std::move(mix), region, augment, options),
        prefetch(std::max<int64_t>(1, options.prefetch)) {
    for (int64_t i = 0; i < options.workers; ++i) workers.emplace_back([this] { work(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    for (auto& worker : workers) worker.join();
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(
          lock, [&] { return stopping || (issued < wanted + prefetch && maker.exists(issued)); });
      if (stopping) return;
      const int64_t position = issued++;
      const int64_t mine = generation;
      lock.unlock();
      auto result = make_result(maker, position);
      lock.lock();
      // A seek in between made this batch unwanted.
      if (mine == generation) done.emplace(position, std::move(result));
      changed.notify_all();
    }
  }

  void seek(int64_t position) {
    {
      const std::lock_guard lock(mutex);
      ++generation;
      done.clear();
      wanted = issued = position;
    }
    changed.notify_all();
  }

  Result take() {
    if (workers.empty() || !maker.exists(wanted)) return make_result(maker, wanted);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done.contains(wanted); });
    // What went wrong stays: asking again tells it again.
    if (auto& result = done.at(wanted); result.problem) return {std::nullopt, result.problem};
    return std::move(done.extract(wanted).mapped());
  }

  BatchMaker maker;
  const int64_t prefetch;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int64_t, Result> done;
  int64_t wanted = 0;  // next batch for the caller; written under the mutex, by the caller's thread
  int64_t issued = 0;  // next batch for a worker
  int64_t generation = 0;
  bool stopping = false;
  std::vector<std::thread> workers;
};

Loader::Loader(Mix mix, const Region& region, const AugmentConfig& augment,
               const LoaderOptions& options) {
  if (options.batch_size < 1) throw std::logic_error("a batch holds at least one sample");
  // Workers are the parallelism; OpenCV's own pool under them would only add switches.
  cv::setNumThreads(0);
  impl_ = std::make_unique<Impl>(std::move(mix), region, augment, options);
}

Loader::~Loader() = default;

void Loader::seek(int64_t position) { impl_->seek(position); }

std::optional<Batch> Loader::next() {
  auto result = impl_->take();
  if (result.problem) std::rethrow_exception(result.problem);
  if (result.batch) {
    const std::lock_guard lock(impl_->mutex);
    ++impl_->wanted;
  }
  impl_->changed.notify_all();
  return std::move(result.batch);
}

int64_t Loader::batches_per_epoch() const { return impl_->maker.batches_per_epoch(); }

}  // namespace plateforge
