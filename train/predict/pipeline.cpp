#include "train/predict/pipeline.h"

#include <torch/utils.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "data/frames/letterbox.h"
#include "data/frames/view.h"
#include "data/rectify.h"
#include "data/sample_order.h"

namespace plateforge {
namespace {

// Adds the time of its life.
class Clock {
 public:
  explicit Clock(double& sum) : sum_(sum) {}
  ~Clock() {
    sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

 private:
  double& sum_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Letterbox fit_into(const cv::Mat& image, cv::Mat& input) {
  const Letterbox box(image.cols, image.rows, input.cols, input.rows);
  Frame frame{.image = image, .region = {{0, 0}, image.size()}, .plates = {}, .source = {}};
  sample_frame(frame, to_picture(box), input.size(), input);
  return box;
}

FoundPlate in_picture(const Detection& found, const Letterbox& box) {
  const auto back = [&](float input) { return static_cast<float>(box.to_picture(input)); };
  FoundPlate plate{.score = found.score, .box = {}, .texts = {}, .crop = {}};
  const cv::Point2f first(back(found.box[0]), back(found.box[1]));
  const cv::Point2f last(back(found.box[2]), back(found.box[3]));
  plate.box = cv::Rect2f(first, last) &
              cv::Rect2f(0, 0, static_cast<float>(box.width), static_cast<float>(box.height));
  for (size_t i = 0; i < 4; ++i)
    plate.corners[i] = {back(found.corners[i].x), back(found.corners[i].y)};
  if (!is_convex(plate.corners)) {  // crossing corners name no plane
    plate.corners = whole_image({1, 1});
    for (auto& corner : plate.corners)
      corner = {plate.box.x + corner.x * plate.box.width,
                plate.box.y + corner.y * plate.box.height};
  }
  return plate;
}

void find_plates(std::vector<Prediction*>& predictions, PlateFinder& finder,
                 StageSeconds& seconds) {
  auto batch = empty_batch(static_cast<int64_t>(predictions.size()), finder.size());
  std::vector<Letterbox> boxes;
  {
    const Clock clock(seconds.fit);
    for (size_t i = 0; i < predictions.size(); ++i) {
      cv::Mat input = picture_in(batch, static_cast<int64_t>(i));
      boxes.push_back(fit_into(predictions[i]->picture.image, input));
    }
  }
  torch::Tensor inferred;
  {
    const Clock clock(seconds.detect);
    inferred = finder.infer(batch.images);
  }
  const Clock clock(seconds.pick);
  const auto found = finder.pick(inferred);
  for (size_t i = 0; i < predictions.size(); ++i)
    for (const auto& plate : found[i])
      if (auto seen = in_picture(plate, boxes[i]); !seen.box.empty())
        predictions[i]->plates.push_back(std::move(seen));
}

void read_plates(std::vector<Prediction*>& predictions, PlateReader& reader, int64_t n_best,
                 StageSeconds& seconds) {
  std::vector<std::pair<const cv::Mat*, FoundPlate*>> plates;
  for (auto* prediction : predictions)
    for (auto& plate : prediction->plates) plates.emplace_back(&prediction->picture.image, &plate);
  if (plates.empty()) return;
  auto batch = empty_batch(static_cast<int64_t>(plates.size()), reader.size());
  {
    const Clock clock(seconds.rectify);
    for (size_t i = 0; i < plates.size(); ++i) {
      cv::Mat crop = picture_in(batch, static_cast<int64_t>(i));
      reader.view(*plates[i].first, plates[i].second->corners, crop);
      plates[i].second->crop = crop.clone();
    }
  }
  torch::Tensor logits;
  {
    const Clock clock(seconds.read);
    logits = reader.infer(batch.images);
  }
  const Clock clock(seconds.text);
  auto texts = reader.texts(logits, n_best);
  for (size_t i = 0; i < plates.size(); ++i) plates[i].second->texts = std::move(texts[i]);
}

// Pieces of the stream, numbered; results wait for their turn.
class Conveyor {
 public:
  Conveyor(const NextPicture& next, int64_t batch, size_t threads)
      : next_picture_(next),
        batch_(std::max<int64_t>(batch, 1)),
        most_ahead_(static_cast<int64_t>(2 * threads)),
        working_(threads) {}

  // The next pictures with their number; none at the end or when a thread has failed.
  std::vector<Picture> take(int64_t& number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return problem_ || next_ - given_ < most_ahead_; });
    std::vector<Picture> pictures;
    while (!problem_ && static_cast<int64_t>(pictures.size()) < batch_) {
      auto picture = next_picture_();
      if (!picture) break;
      pictures.push_back(std::move(*picture));
    }
    number = next_;
    if (!pictures.empty()) ++next_;
    return pictures;
  }
  void put(int64_t number, std::vector<Prediction> predictions) {
    const std::lock_guard lock(mutex_);
    done_[number] = std::move(predictions);
    changed_.notify_all();
  }
  void thread_ends(const StageSeconds& seconds) {
    const std::lock_guard lock(mutex_);
    seconds_ += seconds;
    --working_;
    changed_.notify_all();
  }
  // Ends the work; the first problem counts.
  void fail(std::exception_ptr problem) {
    const std::lock_guard lock(mutex_);
    if (!problem_) problem_ = std::move(problem);
    changed_.notify_all();
  }
  // The results in order; false at the end. Throws what a thread threw.
  bool next_results(std::vector<Prediction>& predictions) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return problem_ || working_ == 0 || done_.contains(given_); });
    if (problem_) std::rethrow_exception(problem_);
    const auto found = done_.find(given_);
    if (found == done_.end()) return false;
    predictions = std::move(found->second);
    done_.erase(found);
    ++given_;
    changed_.notify_all();
    return true;
  }
  const StageSeconds& seconds() const { return seconds_; }

 private:
  const NextPicture& next_picture_;
  const int64_t batch_, most_ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, std::vector<Prediction>> done_;
  int64_t next_ = 0, given_ = 0;
  size_t working_;  // threads that have not ended
  std::exception_ptr problem_;
  StageSeconds seconds_;
};

}  // namespace

StageSeconds& StageSeconds::operator+=(const StageSeconds& other) {
  load += other.load, fit += other.fit, detect += other.detect, pick += other.pick;
  rectify += other.rectify, read += other.read, text += other.text;
  return *this;
}

std::vector<std::pair<const char*, double>> StageSeconds::by_stage() const {
  return {{"load", load},       {"fit", fit},   {"detect", detect}, {"pick", pick},
          {"rectify", rectify}, {"read", read}, {"text", text}};
}

std::vector<Prediction> predict(std::vector<Picture> pictures, PlateModels& models, int64_t n_best,
                                StageSeconds* seconds) {
  StageSeconds unasked;
  auto& spent = seconds ? *seconds : unasked;
  std::vector<Prediction> predictions;
  {
    const Clock clock(spent.load);
    for (auto& picture : pictures) {
      picture.load();
      predictions.push_back({std::move(picture), {}});
    }
  }
  std::vector<Prediction*> seen;
  for (auto& prediction : predictions)
    if (!prediction.picture.image.empty()) seen.push_back(&prediction);
  if (seen.empty()) return predictions;
  find_plates(seen, models.finder, spent);
  read_plates(seen, models.reader, n_best, spent);
  return predictions;
}

PipelineSeconds run_pipeline(const NextPicture& next, std::vector<PlateModels>& models,
                             const std::function<void(Prediction)>& take,
                             const PipelineOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Conveyor conveyor(next, options.batch, models.size());
  const auto work = [&](PlateModels& own) {
    StageSeconds spent;
    try {
      int64_t number = 0;
      for (auto some = conveyor.take(number); !some.empty(); some = conveyor.take(number))
        conveyor.put(number, predict(std::move(some), own, options.n_best, &spent));
    } catch (...) {
      conveyor.fail(std::current_exception());
    }
    conveyor.thread_ends(spent);
  };
  std::vector<std::thread> threads;
  for (auto& own : models) threads.emplace_back(work, std::ref(own));
  std::exception_ptr problem;
  try {
    std::vector<Prediction> some;
    while (conveyor.next_results(some))
      for (auto& prediction : some) take(std::move(prediction));
  } catch (...) {
    problem = std::current_exception();
    conveyor.fail(problem);
  }
  for (auto& thread : threads) thread.join();
  if (problem) std::rethrow_exception(problem);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {conveyor.seconds(), elapsed.count()};
}

}  // namespace plateforge
