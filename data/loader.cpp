#include "data/loader.h"

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <opencv2/core/utility.hpp>
#include <stdexcept>
#include <thread>

#include "data/parallel.h"

namespace plateforge {
namespace {

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
  Impl(BatchMakerPtr batches, const LoaderOptions& options)
      : maker_ptr(std::move(batches)),
        maker(*maker_ptr),
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

  // Without workers: as many batches as may be ready, made at once while the caller waits.
  void make_ahead() {
    int64_t count = 0;
    while (count < prefetch && maker.exists(wanted + count)) ++count;
    std::vector<Result> results(static_cast<size_t>(count));
    parallel_for(count, 0, [&](int64_t i) {
      results[static_cast<size_t>(i)] = make_result(maker, wanted + i);
    });
    for (int64_t i = 0; i < count; ++i)
      done.emplace(wanted + i, std::move(results[static_cast<size_t>(i)]));
  }

  Result take() {
    if (!maker.exists(wanted)) return {};
    if (workers.empty() && !done.contains(wanted)) make_ahead();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done.contains(wanted); });
    // What went wrong stays: asking again tells it again.
    if (auto& result = done.at(wanted); result.problem) return {std::nullopt, result.problem};
    return std::move(done.extract(wanted).mapped());
  }

  const BatchMakerPtr maker_ptr;
  const BatchMaker& maker;
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

cv::Size input_size(const ModelConfig& model) {
  return {static_cast<int>(model.width), static_cast<int>(model.height)};
}

Loader::Loader(BatchMakerPtr maker, const LoaderOptions& options) {
  if (options.batch_size < 1) throw std::logic_error("a batch holds at least one sample");
  // Workers are the parallelism; OpenCV's own pool under them would only add switches.
  cv::setNumThreads(0);
  impl_ = std::make_unique<Impl>(std::move(maker), options);
}

Loader::Loader(Mix mix, const Region& region, const AugmentConfig& augment,
               const LoaderOptions& options)
    : Loader(make_plate_batches(std::move(mix), region, augment, options), options) {}

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
